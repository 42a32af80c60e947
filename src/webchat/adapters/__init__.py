"""One vendor each; none knows another.

Stores:
    memory      the reference, for tests; and a bus, cache and limits for a lone process
    sqlite      one file, one process
    postgresql  many nodes
    dynamodb    many nodes

Between nodes:
    redis       bus, cache and limits
"""
