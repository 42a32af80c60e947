"""What the product needs of the world; each promise is in a docstring, adapters keep them.

The store:
    store        as a whole
    log          the one truth: entries
    members      who is, or was, in which conversation
    following    what a user follows
    positions    how far delivered and displayed
    accounts     with profiles and logins
    invitations  that wait for an answer
    links        by which people come into a group
    held         messages to unknown groups (open mode)
    kept         receipts for people who are away (open mode)
    nodes        that share the store
    transfer     all of it, as records

Between nodes:
    bus          publish and subscribe
    cache        profiles at hand
    limits       rates that are shared, and how a process counts them

Time:
    clock        so that tests own it
"""
