"""One vendor each; none knows another.

Stores:
    sqlite      one file, one process
    postgresql  many nodes
    dynamodb    many nodes

Bus, cache and limits:
    memory      of a lone process; and the clock of any
    redis       between nodes
"""
