"""Background work that gives way to writes. Called by jobs."""

import time
from collections.abc import Callable
from threading import Event

# While more writes a second than this are answered, or some wait, the work takes a tenth of its
# time.
_BUSY_WRITES_A_SECOND = 400
_BUSY_PAUSE_FACTOR = 9
# In a pause it looks this often whether the writes have ended.
_LOOK_SECONDS = 0.1


class GivingWay:
    """Does units of `work`, with pauses between them while writes come. `count_writes` tells how
    many have been answered so far, `count_waiting` how many wait: where each takes long, few are
    answered however many come. `stopping` ends a pause.

    Niceness does not help here: only a pause lets the writer have the interpreter and the core.
    """

    def __init__(
        self,
        work: Callable[[], bool],
        count_writes: Callable[[], int],
        count_waiting: Callable[[], int],
        stopping: Event,
    ) -> None:
        self._work = work
        self._count_writes = count_writes
        self._count_waiting = count_waiting
        self._stopping = stopping

    def __call__(self) -> bool:
        """Do a unit; returns whether there may be more."""
        writes, start = self._count_writes(), time.monotonic()
        is_more = self._work()
        seconds = time.monotonic() - start
        if self._is_busy(writes, seconds):
            self._pause(seconds * _BUSY_PAUSE_FACTOR)
        return is_more

    def _pause(self, seconds: float) -> None:
        """Or less, where the writes end: a unit that took long beside them would be followed by
        many seconds in which nothing is done."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            writes, looked = self._count_writes(), min(left, _LOOK_SECONDS)
            if self._stopping.wait(looked) or not self._is_busy(writes, looked):
                break

    def _is_busy(self, writes_before: int, seconds: float) -> bool:
        answered = self._count_writes() - writes_before
        return answered > _BUSY_WRITES_A_SECOND * seconds or self._count_waiting() > 0
