"""Memories read by id, as they go over the wire: an LRU cache that is right across processes.

The poll loop reads it, the read lane fills it, and whoever changes a memory has it forgotten here
before the change is answered; changes made elsewhere are heard by the listener. While the listener
cannot hear, the cache is distrusted and answers nothing.
"""

import time
from collections import OrderedDict
from collections.abc import Collection
from threading import Lock
from typing import NamedTuple

# Memories forgotten lately, so that a fill that began before is refused; beyond, all fills are.
_REMEMBERED_CHANGES = 50_000
# Beyond so many at once, all are forgotten: the poll loop waits while the cache is searched.
_WORTH_NAMING = 10_000
# An expiring memory leaves the cache this much early: from then on the database's clock decides.
_EXPIRY_MARGIN_SECONDS = 0.25


# The time that a machine slept passes as well: what expired meanwhile is not there when it wakes.
_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def _now() -> float:
    return time.clock_gettime(_CLOCK)


class Mark(NamedTuple):
    """How many changes there had been, and when (`_now`)."""

    changes: int
    at: float


class ReadCache:
    """At most `max_entries` and `max_bytes`; each entry for at most `ttl_seconds`."""

    def __init__(self, max_entries: int, max_bytes: int, ttl_seconds: float) -> None:
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._ttl_seconds = ttl_seconds
        self._entries: OrderedDict[str, tuple[bytes, float]] = OrderedDict()
        self._bytes = 0
        self._changes = 0
        self._changed: OrderedDict[str, int] = OrderedDict()
        self._refused_up_to = 0
        self._trusted_until = 0.0
        self._lock = Lock()
        self.hits = 0
        self.misses = 0

    def get(self, memory_id: str) -> bytes | None:
        with self._lock:
            entry = self._entries.get(memory_id) if self.is_trusted() else None
            if entry is None or entry[1] < _now():
                self.misses += 1
                return None
            self._entries.move_to_end(memory_id)
            self.hits += 1
            return entry[0]

    def mark(self) -> Mark:
        """Taken before a SELECT begins; `fill` refuses what has changed since."""
        return Mark(self._changes, _now())

    def fill(
        self, mark: Mark, memory_id: str, body: bytes, expires_in_seconds: float | None
    ) -> None:
        """`expires_in_seconds` was true at the SELECT, and so is counted from the mark: between
        that and the fill a busy process may have stood still for longer than the margin."""
        seconds = self._ttl_seconds
        if expires_in_seconds is not None:
            seconds = min(seconds, expires_in_seconds - _EXPIRY_MARGIN_SECONDS)
        with self._lock:
            changed = self._changed.get(memory_id, self._refused_up_to)
            if not self.is_trusted() or changed > mark.changes or seconds <= 0:
                return
            self._drop(memory_id)
            self._entries[memory_id] = body, mark.at + seconds
            self._bytes += len(body)
            while self._bytes > self._max_bytes or len(self._entries) > self._max_entries:
                self._drop(next(iter(self._entries)))

    def forget(self, memory_ids: Collection[str]) -> None:
        if len(memory_ids) > _WORTH_NAMING:
            self.forget_all()
            return
        with self._lock:
            for memory_id in memory_ids:
                self._changes += 1
                self._drop(memory_id)
                self._changed[memory_id] = self._changes
                self._changed.move_to_end(memory_id)
            while len(self._changed) > _REMEMBERED_CHANGES:
                self._refused_up_to = self._changed.popitem(last=False)[1]

    def forget_all(self) -> None:
        with self._lock:
            self._changes += 1
            self._refused_up_to = self._changes
            self._changed.clear()
            self._entries.clear()
            self._bytes = 0

    def trust(self, seconds: float) -> None:
        """The listener has heard every change up to now, and says so again within `seconds`: else
        trust ends by itself, whatever holds the listener up. After a silence nothing is kept, and
        a fill that began in it is refused."""
        if not self.is_trusted():
            self.forget_all()
        self._trusted_until = _now() + seconds

    def distrust(self) -> None:
        """Changes may have gone unheard: what is here is worth nothing."""
        self._trusted_until = 0.0
        self.forget_all()

    def is_trusted(self) -> bool:
        return _now() < self._trusted_until

    def report(self) -> dict[str, int | bool]:
        return {
            "entries": len(self._entries),
            "bytes": self._bytes,
            "hits": self.hits,
            "misses": self.misses,
            "trusted": self.is_trusted(),
        }

    def _drop(self, memory_id: str) -> None:
        if entry := self._entries.pop(memory_id, None):
            self._bytes -= len(entry[0])
