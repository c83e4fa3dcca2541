"""Background work that gives way to writes. Called by jobs."""

import time
from collections.abc import Callable
from threading import Event

# While more writes a second than this are answered, the work takes a tenth of its time.
_BUSY_WRITES_A_SECOND = 100
_BUSY_PAUSE_FACTOR = 9


class GivingWay:
    """Does units of `work`, with pauses between them while writes come. `count_writes` tells how
    many have been answered so far; `stopping` ends a pause.

    Niceness does not help here: only a pause lets the writer have the interpreter and the core.
    """

    def __init__(
        self, work: Callable[[], bool], count_writes: Callable[[], int], stopping: Event
    ) -> None:
        self._work = work
        self._count_writes = count_writes
        self._stopping = stopping

    def __call__(self) -> bool:
        """Do a unit; returns whether there may be more."""
        writes, start = self._count_writes(), time.monotonic()
        is_more = self._work()
        seconds = time.monotonic() - start
        if self._count_writes() - writes > _BUSY_WRITES_A_SECOND * seconds:
            self._stopping.wait(seconds * _BUSY_PAUSE_FACTOR)
        return is_more
