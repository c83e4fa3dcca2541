"""The load generator: sends prepared requests from processes of its own and times the replies.

It shares its cores with the server, and takes as little of them as it can: bodies are made before
the clock runs, of a reply only status and request_id are decoded, times go into lists of their
final length, and no collector of cycles runs meanwhile. Called by scenarios and by the floors.
"""

import gc
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
# Plain numbers: pyzmq computes its enums anew at each call.
_NOW, _READABLE = int(zmq.NOBLOCK), int(zmq.POLLIN)


class Prepared(NamedTuple):
    """A request ready to be sent. `action` names its kind in the results."""

    request_id: str
    action: str
    body: bytes


@dataclass(slots=True)
class Timed:
    """What one client, or all of them, saw: when it began and ended, and how long each action
    took. `failures`: the first bodies that were no success; `cpu_seconds`: its own."""

    began: float
    ended: float
    seconds: dict[str, list[float]]
    failures: list[bytes]
    failed: int = 0
    cpu_seconds: float = 0

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
        whole.cpu_seconds += each.cpu_seconds
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
    """A DEALER, the requests it is to send, and when each was sent and answered."""

    def __init__(self, endpoint: str, requests: Sequence[Prepared], wanted: str) -> None:
        self.socket: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.DEALER)
        self.socket.setsockopt(zmq.LINGER, 0)
        self.socket.setsockopt(zmq.RCVTIMEO, _REPLY_SECONDS * 1000)
        self.socket.setsockopt(zmq.SNDHWM, 0)
        self.socket.setsockopt(zmq.RCVHWM, 0)
        self.socket.connect(endpoint)
        self.descriptor = int(self.socket.getsockopt(zmq.FD))
        self.heard = 0
        self._wanted = wanted
        self._requests = requests
        self._bodies = [request.body for request in requests]
        self._places = {request.request_id: place for place, request in enumerate(requests)}
        self._sent = [0.0] * len(requests)
        self._seconds = [-1.0] * len(requests)
        self._failures: list[bytes] = []
        self._failed = 0
        self._greet()
        gc.collect()
        gc.freeze()
        gc.disable()

    def begin(self) -> float:
        self._began = wait_for_all()
        self._cpu_began = time.process_time()
        return self._began

    def send(self, place: int, since: float) -> None:
        """One frame, as the Python client does: without the empty one of a REQ socket."""
        self._sent[place] = since
        self.socket.send(self._bodies[place], _NOW)

    def hear(self, flags: int = 0) -> None:
        """Raises zmq.Again where there is no reply."""
        body = self.socket.recv(flags)
        now = time.perf_counter()
        reply = _decode(body)
        place = self._places[reply.request_id]
        self._seconds[place] = now - self._sent[place]
        self.heard += 1
        if reply.status != self._wanted:
            self._failed += 1
            if len(self._failures) < 3:
                self._failures.append(body[:500])

    def is_heard(self) -> bool:
        """Whether a reply is there now."""
        return bool(int(self.socket.getsockopt(zmq.EVENTS)) & _READABLE)

    def end(self) -> Timed:
        """What has no answer by now has failed."""
        ended, cpu_seconds = time.perf_counter(), time.process_time() - self._cpu_began
        gc.enable()
        seconds: dict[str, list[float]] = {}
        for request, taken in zip(self._requests, self._seconds, strict=True):
            if taken >= 0:
                seconds.setdefault(request.action, []).append(taken)
        failed = self._failed + len(self._requests) - self.heard
        return Timed(self._began, ended, seconds, self._failures, failed, cpu_seconds)

    def _greet(self) -> None:
        """The connection stands before the clock runs."""
        self.socket.send(b'{"action":"ping","request_id":"ping"}')
        self.socket.recv()


def _closed_loop(endpoint: str, requests: Sequence[Prepared], in_flight: int, wanted: str) -> Timed:
    peer = _Peer(endpoint, requests, wanted)
    peer.begin()
    count = len(requests)
    for place in range(min(in_flight, count)):
        peer.send(place, time.perf_counter())
    for place in range(in_flight, count):
        peer.hear()
        peer.send(place, time.perf_counter())
    while peer.heard < count:
        peer.hear()
    return peer.end()


def _open_loop(endpoint: str, requests: Sequence[Prepared], at: Sequence[float]) -> Timed:
    peer = _Peer(endpoint, requests, "success")
    start = peer.begin()
    for place, due in enumerate(at):
        while (left := start + due - time.perf_counter()) > 0:
            _hear_for(peer, left)
        peer.send(place, start + due)
    deadline = time.perf_counter() + _REPLY_SECONDS
    while peer.heard < len(requests) and time.perf_counter() < deadline:
        _hear_for(peer, 0.1)
    return peer.end()


def _hear_for(peer: _Peer, seconds: float) -> None:
    """Take all replies that are there; else wait for the next one, or until the time is up."""
    if peer.is_heard():
        while peer.is_heard():
            peer.hear(_NOW)
    else:
        # ZeroMQ's own poll counts whole milliseconds, too coarse for 500 requests a second.
        select.select([peer.descriptor], [], [], seconds)
