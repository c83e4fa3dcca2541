"""Accesses folded in memory until a job writes them: a read costs no write."""

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from threading import Lock

from memories.services.access import Access

# When this many different ones wait unwritten (the database is away), further ones only count.
_CAPACITY = 200_000


class Accesses:
    def __init__(self) -> None:
        self._folded: Counter[Access] = Counter()
        self._lock = Lock()
        self.lost = 0

    def note(self, action: str, agent_id: str, memory_ids: Iterable[str]) -> None:
        today = datetime.now(UTC).date()
        # Made outside of the lock: the server's loop waits for it at each read from the cache.
        self._fold([Access(memory_id, agent_id, action, today) for memory_id in memory_ids])

    def note_about(self, action: str, agent_id: str, session_id: str, user_id: str) -> None:
        """An access to what a session or a user has beside its memories."""
        today = datetime.now(UTC).date()
        self._fold([Access("", agent_id, action, today, session_id, user_id)])

    def _fold(self, noted: Iterable[Access]) -> None:
        with self._lock:
            for access in noted:
                if access in self._folded or len(self._folded) < _CAPACITY:
                    self._folded[access] += 1
                else:
                    self.lost += 1

    def take(self) -> Counter[Access]:
        with self._lock:
            taken, self._folded = self._folded, Counter()
        return taken

    def put_back(self, taken: Counter[Access]) -> None:
        """What could not be written waits for the next time."""
        with self._lock:
            fewer, more = sorted((taken, self._folded), key=len)
            more.update(fewer)
            self._folded = more
