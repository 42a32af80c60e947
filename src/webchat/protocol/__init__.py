"""Bytes to packets to envelopes and back. No I/O, no clock.

WebSocket:
    handshake  the server's half
    websocket  frames

HTTP:
    cookies    of a request

Socket.IO:
    engineio   packets and payloads, protocols 4 and 3
    socketio   packets, protocols 5 and 4

The chat:
    envelope   `chat`, `join` and `sync`
    errors     a peer's breach of a protocol
"""
