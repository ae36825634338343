"""AWS as the workflow's cloud: sessions that reach AWS and nothing else, names, what it permits.

Nothing here takes an endpoint, a CA or a root: `AmazonReach` says where a request may go, `Trust`'s
``aws()`` what is believed. No option, no environment variable and no file of a profile changes it.
"""
