"""The load generator: sends prepared requests from processes of its own and times the replies.

Bodies are made before the clock runs, and of a reply only its status and request_id are decoded,
so that it takes as little as it can of the cores it shares with the server. Called by scenarios.
"""

import multiprocessing
import select
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec
import zmq

_START_SECONDS = 120
_REPLY_SECONDS = 60
_PROCESSES = multiprocessing.get_context("spawn")


class Prepared(NamedTuple):
    """A request ready to be sent. `action` names its kind in the results."""

    request_id: str
    action: str
    body: bytes


@dataclass(slots=True)
class Timed:
    """What one client, or all of them, saw: when it began and ended, and how long each action
    took. `failures`: the first bodies that were no success."""

    began: float
    ended: float
    seconds: dict[str, list[float]]
    failures: list[bytes]
    failed: int = 0

    def rate(self) -> float:
        return sum(map(len, self.seconds.values())) / (self.ended - self.began)

    def all_seconds(self) -> list[float]:
        return [each for seconds in self.seconds.values() for each in seconds]


class _Reply(msgspec.Struct):
    status: str
    request_id: str


_decode = msgspec.json.Decoder(_Reply).decode


def closed_loop(
    endpoint: str,
    clients: Sequence[Sequence[Prepared]],
    in_flight: int = 1,
    wanted: str = "success",
) -> Timed:
    """Each client has `in_flight` requests waiting, and sends the next when one is answered."""
    return run_clients(_closed_loop, [(endpoint, each, in_flight, wanted) for each in clients])


def open_loop(endpoint: str, requests: Sequence[Prepared], at: Sequence[float]) -> Timed:
    """Request n is due `at[n]` seconds after the start, answered or not what came before it.

    Latencies count from when a request was due, so that waiting is counted.
    """
    return run_clients(_open_loop, [(endpoint, requests, at)])


def run_clients(run: Callable[..., Timed], arguments: Sequence[tuple[Any, ...]]) -> Timed:
    """Call `run` in one process for each tuple of arguments, all from the same moment on."""
    count = len(arguments)
    barrier = _PROCESSES.Barrier(count)
    with ProcessPoolExecutor(
        count, mp_context=_PROCESSES, initializer=_remember, initargs=(barrier,)
    ) as pool:
        timed = [future.result() for future in [pool.submit(run, *each) for each in arguments]]
    whole = Timed(min(t.began for t in timed), max(t.ended for t in timed), {}, [])
    for each in timed:
        whole.failures += each.failures
        whole.failed += each.failed
        for action, seconds in each.seconds.items():
            whole.seconds.setdefault(action, []).extend(seconds)
    return whole


_barrier: Any = None


def _remember(barrier: Any) -> None:
    global _barrier
    _barrier = barrier


def wait_for_all() -> float:
    """Called by a client that is ready; returns the time at which all are."""
    _barrier.wait(_START_SECONDS)
    return time.perf_counter()


class _Peer:
    """A DEALER and what it has heard so far."""

    def __init__(self, endpoint: str, wanted: str) -> None:
        self.socket: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.DEALER)
        self.socket.setsockopt(zmq.LINGER, 0)
        self.socket.setsockopt(zmq.RCVTIMEO, _REPLY_SECONDS * 1000)
        self.socket.setsockopt(zmq.SNDHWM, 0)
        self.socket.setsockopt(zmq.RCVHWM, 0)
        self.socket.connect(endpoint)
        self.descriptor = int(self.socket.getsockopt(zmq.FD))
        self._wanted = wanted
        self._since: dict[str, tuple[str, float]] = {}
        self.timed = Timed(0, 0, {}, [])
        self._greet()

    def send(self, request: Prepared, since: float) -> None:
        self._since[request.request_id] = request.action, since
        self.socket.send_multipart((b"", request.body), copy=True)

    def hear(self, flags: int = 0) -> None:
        body = self.socket.recv_multipart(flags)[-1]
        now = time.perf_counter()
        reply = _decode(body)
        action, since = self._since.pop(reply.request_id)
        self.timed.seconds.setdefault(action, []).append(now - since)
        if reply.status != self._wanted:
            self.timed.failed += 1
            if len(self.timed.failures) < 3:
                self.timed.failures.append(body[:500])

    def is_heard(self) -> bool:
        """Whether a reply is there now."""
        return bool(int(self.socket.getsockopt(zmq.EVENTS)) & zmq.POLLIN)

    def unanswered(self) -> int:
        return len(self._since)

    def _greet(self) -> None:
        """The connection stands before the clock runs."""
        self.socket.send_multipart((b"", b'{"action":"ping","request_id":"ping"}'))
        self.socket.recv_multipart()


def _closed_loop(endpoint: str, requests: Sequence[Prepared], in_flight: int, wanted: str) -> Timed:
    peer = _Peer(endpoint, wanted)
    peer.timed.began = wait_for_all()
    for request in requests[:in_flight]:
        peer.send(request, time.perf_counter())
    for request in requests[in_flight:]:
        peer.hear()
        peer.send(request, time.perf_counter())
    while peer.unanswered():
        peer.hear()
    peer.timed.ended = time.perf_counter()
    return peer.timed


def _open_loop(endpoint: str, requests: Sequence[Prepared], at: Sequence[float]) -> Timed:
    peer = _Peer(endpoint, "success")
    start = peer.timed.began = wait_for_all()
    for request, due in zip(requests, at, strict=True):
        while (left := start + due - time.perf_counter()) > 0:
            _hear_for(peer, left)
        peer.send(request, start + due)
    deadline = time.perf_counter() + _REPLY_SECONDS
    while peer.unanswered() and time.perf_counter() < deadline:
        _hear_for(peer, 0.1)
    peer.timed.failed += peer.unanswered()
    peer.timed.ended = time.perf_counter()
    return peer.timed


def _hear_for(peer: _Peer, seconds: float) -> None:
    """Take all replies that are there; else wait for the next one, or until the time is up."""
    if peer.is_heard():
        while peer.is_heard():
            peer.hear(zmq.NOBLOCK)
    else:
        # ZeroMQ's own poll counts whole milliseconds, too coarse for 500 requests a second.
        select.select([peer.descriptor], [], [], seconds)
