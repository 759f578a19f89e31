"""A testbed: everything started around one submission, and ended with it.

    async with Host.open(trusted=False) as host:
        async with Submission.prepare(host, folder) as submission:
            async with submission.testbed(settings={"FEE_BPS": "0"}) as testbed:
                testbed.replicas, testbed.psp.journal, ...

A ``Submission`` is prepared once: environment, build, migrated template database. Each of its
testbeds has a clone of that database, a role, replicas and a worker of its own, an endpoint of the
SQL proxy for each of these, and its own simulators.
"""
