"""What the active model has no vector of, queued a little at a time: memories that were stored
before it served. Called by the embedding job."""

from memories.embedders.errors import EmbedderLoadError
from memories.models import EmbeddingModel
from memories.services.embedding.fill_run import QUEUE_AHEAD, QUEUE_BATCH
from memories.services.embedding.filling import count_tasks
from memories.services.embedding.models import Serving, fill_model, serving


class ActiveFill:
    """Looks at all memories once after each start and each switch. Few stand in the queue at once,
    so that what is said meanwhile waits for few."""

    def __init__(self) -> None:
        self._model_id = 0
        self._last_id = ""
        self._is_whole = False

    def queue_some(self) -> bool:
        """A unit of work; returns whether something was queued."""
        current = _serving_here()
        if current is None:
            return False
        if current.model_id != self._model_id:
            self._model_id, self._last_id, self._is_whole = current.model_id, "", False
        if self._is_whole:
            return False
        model = EmbeddingModel.objects.get(id=current.model_id)
        waiting, _ = count_tasks(model)
        if waiting >= QUEUE_AHEAD:
            return False
        self._last_id, queued = fill_model(model, self._last_id, QUEUE_BATCH)
        self._is_whole = not self._last_id
        return queued > 0


def _serving_here() -> Serving | None:
    """None where this process makes no vectors of the active model."""
    try:
        current = serving()
    except EmbedderLoadError:
        return None
    return current if current and current.embedder.embeds_text else None
