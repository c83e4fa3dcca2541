"""Follow the newest memories of a session or a user. Called by `__main__`."""

from collections.abc import Callable
from datetime import datetime, timedelta
from threading import Event

from zmqbridge.client import Client, Memory
from zmqbridge.client.memory_actions import Scope

PAGE_SIZE = 100
# Memories are seen when they are committed, not quite in the order of their times: look back.
OVERLAP = timedelta(seconds=10)


class Tail:
    """Shows each memory once, in the order of their times, from the newest `count` on."""

    def __init__(
        self, client: Client, session_id: str, scope: Scope, show: Callable[[Memory], object]
    ) -> None:
        self._client = client
        self._session_id = session_id
        self._scope: Scope = scope
        self._show = show
        self._seen: dict[str, datetime] = {}
        self._floor: datetime | None = None
        self._start: datetime | None = None

    def follow(self, count: int, interval_seconds: float, stop: Event) -> None:
        """Look every `interval_seconds` until `stop` is set. Raises ClientError."""
        newest_first = self._page(0, PAGE_SIZE)
        self._show_new(newest_first[:count])
        if newest_first:
            # What was there at first, and more than `count`, is not to be shown later either.
            self._floor = newest_first[-1].created_at
        self._remember(newest_first)
        while not stop.wait(interval_seconds):
            newest_first = self._since_start()
            self._show_new(newest_first)
            self._remember(newest_first)

    def _since_start(self) -> list[Memory]:
        found: dict[str, Memory] = {}  # a page may repeat what slid down as others came
        offset = 0
        while page := self._page(offset, PAGE_SIZE):
            found |= {memory.memory_id: memory for memory in page}
            offset += len(page)
        return list(found.values())

    def _page(self, offset: int, limit: int) -> list[Memory]:
        return self._client.batch_read(
            session_id=self._session_id,
            scope=self._scope,
            start=self._start,
            limit=limit,
            offset=offset,
        ).memories

    def _show_new(self, newest_first: list[Memory]) -> None:
        for memory in reversed(newest_first):
            if memory.memory_id not in self._seen:
                self._show(memory)

    def _remember(self, newest_first: list[Memory]) -> None:
        if not newest_first:
            return
        start = newest_first[0].created_at - OVERLAP
        self._start = start = max(start, self._floor or start)
        seen = self._seen | {memory.memory_id: memory.created_at for memory in newest_first}
        self._seen = {name: at for name, at in seen.items() if at >= start}
