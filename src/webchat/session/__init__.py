"""A Socket.IO connection, its timers and its queue. It takes a handler and knows no chat.

Socket.IO:
    client      over one connection: its namespaces
    socket      a client in one namespace
    handler     the seam to what uses it

Engine.IO:
    endpoint    where connections begin and are found again
    connection  one of them
    roles       whom it deals with, below and above
    outbox      what waits to be written
    poll        a poll that waits for its answer
    upgrade     from polling to a WebSocket
    sids        session ids

Time:
    heartbeat   pings and pongs
    deadlines   many waits on one timer
    pacing      turns for those who come in, or say much
    resting     whoever says far too much is not read for a while
"""
