"""Lanes: bounded queues with worker threads, so that slow requests never delay quick ones.

A worker takes the first request and whatever else already waits, up to a limit: batches grow by
themselves under load, and no request waits for a timer. The server offers requests and gets the
replies pushed.
"""

import logging
import time
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Condition, Lock, Thread
from typing import Any

import msgspec
from django.db import connection

from zmqbridge.protocol import Request
from zmqbridge.routing import Reply, Route, reply_to

logger = logging.getLogger(__name__)


# Upper bounds by which batches are counted; the largest batch is a setting.
BATCH_BOUNDS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)

# Beyond, a batch takes no further request: one statement would hold hundreds of megabytes.
_BATCH_BYTES = 8 << 20

# Larger ones are left to the worker: some 0.2 ms are the most that one may hold up the server.
_PREPARED_MAX_BYTES = 4 << 10


@dataclass(frozen=True, slots=True)
class LaneMeasures:
    """`batches` counts by BATCH_BOUNDS, and at the end what is beyond. `waited_seconds` sums over
    requests, `busy_seconds` over workers."""

    depth: int
    oldest_seconds: float
    workers: int
    refused: int
    answered: int
    waited_seconds: float
    busy_seconds: float
    batches: tuple[int, ...]


class Waiting(msgspec.Struct, frozen=True, gc=False):
    """`asked`: the request, or what was prepared of it. `after`: how many requests another lane
    must have answered before this one is served."""

    route: Route
    request: Request
    asked: Any
    since: float
    after: int = 0

    def size_bytes(self) -> int:
        return len(self.request.payload) + sum(map(len, self.route))


class Lane:
    """`answer` returns a reply for each of a batch of requests; `deliver` gets the replies.
    `prepare`, called by `offer`, makes of a small request what `answer` gets in its place. A batch
    waits until `behind`, another lane, has answered what arrived before its requests."""

    def __init__(
        self,
        name: str,
        *,
        workers: int,
        capacity: int,
        capacity_bytes: int = 256 << 20,
        batch: int,
        answer: Callable[[Sequence[Any]], list[bytes]],
        deliver: Callable[[Sequence[Reply]], None],
        prepare: Callable[[Request], Any] = lambda request: request,
        behind: "Lane | None" = None,
    ) -> None:
        self.name = name
        self.refused = self.offered = self.answered = 0
        self._waited_seconds = self._busy_seconds = 0.0
        self._batches = [0] * (len(BATCH_BOUNDS) + 1)
        self._capacity = capacity
        self._capacity_bytes = capacity_bytes
        self._waiting_bytes = 0
        self._batch = batch
        self._answer = answer
        self._prepare = prepare
        self._deliver = deliver
        self._behind = behind
        self._waiting: deque[Waiting] = deque()
        self._lock = Lock()
        self._arrived = Condition(self._lock)
        # Apart from arrivals: else each batch that is answered would wake the workers that idle.
        self._served = Condition(self._lock)
        self._closed = False
        self._threads = [
            Thread(target=self._work, name=f"{name}-{number}", daemon=True)
            for number in range(workers)
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def offer(self, route: Route, request: Request, since: float) -> bool:
        """Take a request in; False if the lane is full or closed."""
        after = self._behind.offered if self._behind else 0
        small = len(request.payload) <= _PREPARED_MAX_BYTES
        asked = self._prepare(request) if small and not self._is_full() else request
        with self._lock:
            if self._closed or self._is_full():
                self.refused += 1
                return False
            waiting = Waiting(route, request, asked, since, after)
            self._waiting_bytes += waiting.size_bytes()
            self._waiting.append(waiting)
            self.offered += 1
            self._arrived.notify()
        return True

    def close(self, deadline: float) -> bool:
        """Let the workers finish what waits; False if they have not by `deadline` (monotonic)."""
        with self._lock:
            self._closed = True
            self._arrived.notify_all()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(max(0, deadline - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def is_alive(self) -> bool:
        return all(thread.is_alive() for thread in self._threads)

    def measure(self) -> LaneMeasures:
        with self._lock:
            oldest = self._waiting[0].since if self._waiting else None
            return LaneMeasures(
                depth=len(self._waiting),
                oldest_seconds=0.0 if oldest is None else time.monotonic() - oldest,
                workers=len(self._threads),
                refused=self.refused,
                answered=self.answered,
                waited_seconds=self._waited_seconds,
                busy_seconds=self._busy_seconds,
                batches=tuple(self._batches),
            )

    def report(self) -> dict[str, float]:
        batches = sum(self._batches)
        return {
            "depth": len(self._waiting),
            "answered": self.answered,
            "refused": self.refused,
            "mean_batch": round(self.answered / batches, 2) if batches else 0,
        }

    def wait_answered(self, count: int) -> None:
        """Wait until this lane has answered the first `count` requests that it took in."""
        with self._lock:
            self._served.wait_for(lambda: self.answered >= count)

    def _work(self) -> None:
        try:
            while batch := self._take():
                self._serve(batch)
        finally:
            connection.close()

    def _take(self) -> list[Waiting]:
        """The first and whatever else waits; empty when the lane is closed and done."""
        with self._lock:
            self._arrived.wait_for(lambda: self._waiting or self._closed)
            taken: list[Waiting] = []
            size_bytes = 0
            while self._waiting and len(taken) < self._batch and size_bytes < _BATCH_BYTES:
                taken.append(self._waiting.popleft())
                size_bytes += taken[-1].size_bytes()
            self._waiting_bytes -= size_bytes
            return taken

    def _is_full(self) -> bool:
        # By bytes as well: ten thousand bodies of a megabyte are more than a machine has.
        full = len(self._waiting) >= self._capacity
        return full or self._waiting_bytes >= self._capacity_bytes

    def _serve(self, batch: Sequence[Waiting]) -> None:
        if self._behind:
            self._behind.wait_answered(max(waiting.after for waiting in batch))
        began = time.monotonic()
        bodies = self._answer([waiting.asked for waiting in batch])
        done = time.monotonic()
        self._deliver(
            [
                reply_to(
                    waiting.request, waiting.route, body, waiting.since, self.name, began, done
                )
                for waiting, body in zip(batch, bodies, strict=True)
            ]
        )
        with self._lock:
            self.answered += len(batch)
            self._batches[bisect_left(BATCH_BOUNDS, len(batch))] += 1
            self._waited_seconds += len(batch) * began - sum(waiting.since for waiting in batch)
            self._busy_seconds += done - began
            self._served.notify_all()
