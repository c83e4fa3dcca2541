"""Lanes: bounded queues with worker threads, so that slow requests never delay quick ones.

A worker takes the first request and whatever else already waits, up to a limit: batches grow by
themselves under load, and no request waits for a timer. The server offers requests and gets the
replies pushed.
"""

import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Condition, Thread

from django.db import connection

from zmqbridge.protocol import Request
from zmqbridge.routing import Reply, Route

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Waiting:
    """`after`: how many requests another lane must have answered before this one is served."""

    route: Route
    request: Request
    since: float
    after: int = 0


class Lane:
    """`answer` returns a reply for each request of a batch; `deliver` gets the replies."""

    def __init__(
        self,
        name: str,
        *,
        workers: int,
        capacity: int,
        batch: int,
        answer: Callable[[Sequence[Request]], list[bytes]],
        deliver: Callable[[Sequence[Reply]], None],
        behind: "Lane | None" = None,
    ) -> None:
        self.name = name
        self.refused = self.offered = self.answered = self.batches = 0
        self._capacity = capacity
        self._batch = batch
        self._answer = answer
        self._deliver = deliver
        self._behind = behind
        self._waiting: deque[Waiting] = deque()
        self._changed = Condition()
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
        with self._changed:
            if self._closed or len(self._waiting) >= self._capacity:
                self.refused += 1
                return False
            self._waiting.append(Waiting(route, request, since, after))
            self.offered += 1
            self._changed.notify()
        return True

    def close(self, deadline: float) -> bool:
        """Let the workers finish what waits; False if they have not by `deadline` (monotonic)."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(max(0, deadline - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def is_alive(self) -> bool:
        return all(thread.is_alive() for thread in self._threads)

    def report(self) -> dict[str, float]:
        return {
            "depth": len(self._waiting),
            "answered": self.answered,
            "refused": self.refused,
            "mean_batch": round(self.answered / self.batches, 2) if self.batches else 0,
        }

    def wait_answered(self, count: int) -> None:
        """Wait until this lane has answered the first `count` requests that it took in."""
        with self._changed:
            self._changed.wait_for(lambda: self.answered >= count)

    def _work(self) -> None:
        try:
            while batch := self._take():
                self._serve(batch)
        finally:
            connection.close()

    def _take(self) -> list[Waiting]:
        """The first and whatever else waits; empty when the lane is closed and done."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closed)
            count = min(len(self._waiting), self._batch)
            return [self._waiting.popleft() for _ in range(count)]

    def _serve(self, batch: Sequence[Waiting]) -> None:
        if self._behind:
            self._behind.wait_answered(max(waiting.after for waiting in batch))
        bodies = self._answer([waiting.request for waiting in batch])
        self._deliver(
            [
                Reply(waiting.route, body, waiting.request.action, waiting.since, self.name)
                for waiting, body in zip(batch, bodies, strict=True)
            ]
        )
        with self._changed:
            self.answered += len(batch)
            self.batches += 1
            self._changed.notify_all()
