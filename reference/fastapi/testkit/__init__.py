"""What the tests stand on: a database, a card processor, and a client of the API."""
