"""The load client tells the truth about what it is made to wait for."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from bench import running, servers
from bench.running import Running, expect, go

PER_S = 200
SECONDS = 5.0
PAUSE_S = 0.5


@pytest.fixture
def bare() -> Iterator[Running]:
    with servers.bare_loop() as server:
        yield server


def test_what_is_due_while_the_server_stands_still_counts_as_late_as_it_is(bare: Running) -> None:
    with running.load("offered", bare, 2, PER_S, 200) as client:
        go(client, 0.0, SECONDS)
        os.kill(bare.pids[0], signal.SIGSTOP)
        time.sleep(PAUSE_S)
        os.kill(bare.pids[0], signal.SIGCONT)
        acked, received, _, _, *latencies = expect(client, "end")
    p50, p99, p999, most = latencies[:4]
    pause_us = PAUSE_S * 1e6
    assert acked == pytest.approx(PER_S * SECONDS, rel=0.1)
    assert received == pytest.approx(acked, abs=10)
    assert p50 <= p99 <= p999 <= most
    assert most > 0.8 * pause_us
    assert p99 > 0.8 * pause_us, "a hundred messages were due in the pause, all late"
    assert latencies[7] > 0.8 * pause_us, "received as late as acked"


def test_a_closed_loop_has_no_more_in_flight_than_it_may(bare: Running) -> None:
    with running.load("pairs", bare, 2, 3, 200) as client:
        go(client, 0.0, 0.2)
        acked, received, *_ = expect(client, "end")
    assert acked > 0
    assert abs(acked - received) <= 2 * 3


def test_a_measurement_can_be_ended_sooner(bare: Running) -> None:
    with running.load("offered", bare, 2, PER_S, 200) as client:
        go(client, 0.0, 3_600.0)
        acked, _, _, wall_us, *_ = running.stop(client)
    assert acked <= PER_S
    assert wall_us < 60e6


def test_connections_take_the_ports_in_turn(bare: Running) -> None:
    with servers.bare_loop() as other:
        both = Running(bare.pids + other.pids, bare.ports + other.ports)
        unheard = replace(bare, ports=(*bare.ports, 1))
        with pytest.raises(running.RunError), running.load("pairs", unheard, 2, 1, 200):
            pass
        with running.load("group", both, 4, 1, 200) as client:
            go(client, 0.0, 0.2)
            acked, received, *_ = expect(client, "end")
    assert received == pytest.approx(2 * acked, abs=2), "two of the four are where the sender is"
