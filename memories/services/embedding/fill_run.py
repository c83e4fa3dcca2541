"""Filling an embedding model from beginning to end. Called by the command `embedding_models`."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Event

from memories.models import EmbeddingModel
from memories.services.embedding.filling import count_tasks, progress_of
from memories.services.embedding.models import embedder_of, fill_model
from memories.services.embedding.tasks import embed_tasks_of

# Looked at in one statement, and the most that stand in the queue at once: what is said meanwhile
# is embedded after them.
QUEUE_BATCH = 500
QUEUE_AHEAD = 1_000
_EMBED_BATCH = 16
_PAUSE_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class FillOptions:
    """`rate`: at most so many memories a second, 0: no limit. `embed`: make the vectors here,
    instead of leaving it to the orchestrators."""

    rate: float = 0.0
    embed: bool = False


def fill_whole_model(
    model: EmbeddingModel, options: FillOptions, show: Callable[[int], None]
) -> None:
    """Queue all that has neither vector nor task, and wait until the queue is empty; `show` is
    told how many memories still want a vector. May be stopped and called again at any time."""
    progress = progress_of(model)
    # What is written while the model is being added may escape the first pass.
    while progress.unqueued or progress.waiting:
        _Pass(model, options, progress.unqueued, show).run()
        progress = progress_of(model)
    show(0)


class _Pass:
    """One time through all memories."""

    def __init__(
        self,
        model: EmbeddingModel,
        options: FillOptions,
        unqueued: int,
        show: Callable[[int], None],
    ) -> None:
        self._model = model
        self._options = options
        self._unqueued = unqueued
        self._show = show
        self._queued = 0
        self._began = time.monotonic()

    def run(self) -> None:
        last_id, whole = "", False
        while True:
            waiting, _ = count_tasks(self._model)
            self._show(max(0, self._unqueued - self._queued) + waiting)
            if whole and not waiting:
                return
            room = 0 if whole else self._room(waiting)
            if room:
                last_id, count = fill_model(self._model, last_id, room)
                self._queued += count
                whole = not last_id
            if not self._embed() and not room:
                Event().wait(_PAUSE_SECONDS)

    def _room(self, waiting: int) -> int:
        """How many memories may be looked at now."""
        room = min(QUEUE_BATCH, QUEUE_AHEAD - waiting)
        if self._options.rate:
            allowed = self._options.rate * (time.monotonic() - self._began) - self._queued
            room = min(room, int(allowed))
        return max(0, room)

    def _embed(self) -> bool:
        """Returns whether there was something to do here."""
        if not self._options.embed:
            return False
        embedder = embedder_of(self._model)
        batch = max(_EMBED_BATCH, embedder.batch_size)
        return embed_tasks_of(self._model.id, embedder, batch) > 0
