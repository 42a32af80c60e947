"""Sockets and HTTP: what comes in, from whom, and where it goes.

Listening:
    server       sockets, and an end that loses nothing
    http         HTTP/1.1, handed over to WebSockets
    websocket    frames on a TCP connection
    unread       what its client has not taken yet
    polling      Engine.IO's long-polling
    admission    the check of every Engine.IO request

Who asks:
    proxy        a client behind proxies
    origins      which pages may ask

To other nodes:
    whereabouts  which node a request is for
    relay        passing requests on, and taking what others pass on
    to_role      a request, to a node of another part
    node_links   kept connections
    splice       pairs of connections that are joined
    marks        by which a node knows another

HTTP:
    rest         the own API, the seed's, the web client, health, metrics
    asgi         what every application needs
    headers      kept small
"""
