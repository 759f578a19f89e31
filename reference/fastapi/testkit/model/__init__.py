"""The service's books as plain Python keeps them, for tests that hold the service against it.

Nothing here talks to anybody. What is asked of the service is asked of the model too: whether it
may be refused, and how, and what the books say afterwards. The numbers are rules of the contract.
"""
