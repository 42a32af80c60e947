"""µs per message that a server reads: this project's WebSocket parser and wsproto's.

`python bench/frames.py [--payload-bytes 250] [--frames 20000]`: masked text frames, fed one a read
and sixteen a read; the best of five runs each.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence

from wsproto.frame_protocol import FrameProtocol

from webchat.protocol.websocket import Parser

KEY = b"\x12\x34\x56\x78"
RUNS = 5
MAX_MESSAGE_BYTES = 1_000_000

Read = Callable[[bytes], int]
"""Takes the bytes of one read; how many messages they completed."""


def masked_text(payload: bytes) -> bytes:
    """A frame as a client sends it."""
    size = len(payload)
    head = bytes((0x81, 0x80 | size)) if size < 126 else b"\x81\xfe" + size.to_bytes(2, "big")
    return head + KEY + bytes(byte ^ KEY[at % 4] for at, byte in enumerate(payload))


def own() -> Read:
    """This project's parser."""
    parser = Parser(MAX_MESSAGE_BYTES)
    return lambda data: len(parser.feed(data))


def wsproto() -> Read:
    """wsproto's frame layer alone, without its connection objects."""
    protocol = FrameProtocol(client=False, extensions=[])

    def read(data: bytes) -> int:
        protocol.receive_bytes(data)
        return sum(frame.message_finished for frame in protocol.received_frames())

    return read


def micros_per_frame(make: Callable[[], Read], reads: Sequence[bytes], frames: int) -> float:
    """The best of several runs over the same reads."""
    best_s = float("inf")
    for _ in range(RUNS):
        read = make()
        began = time.process_time()
        complete = sum(map(read, reads))
        best_s = min(best_s, time.process_time() - began)
        if complete != frames:
            raise SystemExit(f"{complete} messages of {frames} came out")
    return best_s / frames * 1e6


def main() -> None:
    """Measure and print a line per parser and way of reading."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--payload-bytes", type=int, default=250)
    options.add_argument("--frames", type=int, default=20_000)
    chosen = options.parse_args()
    frame = masked_text(b"x" * chosen.payload_bytes)
    for per_read in (1, 16):
        reads = [frame * per_read] * (chosen.frames // per_read)
        for make in (own, wsproto):
            micros = micros_per_frame(make, reads, len(reads) * per_read)
            print(f"{make.__name__:8} {per_read:3} a read: {micros:6.2f} us a frame")


if __name__ == "__main__":
    main()
