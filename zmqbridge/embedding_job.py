"""The embedding job: makes vectors in the background and gives way to writes. Called by jobs."""

import time
from collections.abc import Callable
from threading import Event

from memories.services.embedding import embed_tasks

# Small, so that a search which waits for the model or for these tasks does not wait long.
_BATCH = 4
# While more writes a second than this are answered, the job takes a tenth of its time.
_BUSY_WRITES_A_SECOND = 100
_BUSY_PAUSE_FACTOR = 9


class EmbeddingWork:
    """`count_writes` tells how many writes have been answered so far; `stopping` ends a pause.
    Niceness does not help here: only a pause lets the writer have the interpreter and the core."""

    def __init__(self, count_writes: Callable[[], int], stopping: Event) -> None:
        self._count_writes = count_writes
        self._stopping = stopping

    def __call__(self) -> bool:
        """Embed a batch; returns whether there may be more."""
        writes, start = self._count_writes(), time.monotonic()
        embedded = embed_tasks(_BATCH)
        seconds = time.monotonic() - start
        if self._count_writes() - writes > _BUSY_WRITES_A_SECOND * seconds:
            self._stopping.wait(seconds * _BUSY_PAUSE_FACTOR)
        return embedded == _BATCH
