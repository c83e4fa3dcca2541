"""The vectors of queries, made in one model call for a batch. Called by search."""

import time
from collections.abc import Sequence
from concurrent.futures import TimeoutError as FutureTimeout

from memories.embedders.base import Embedder, Vectors, check_shape
from memories.embedders.errors import EmbedderUnavailable
from memories.services.model_threads import in_model_thread


def embed_queries(embedder: Embedder, texts: Sequence[str], deadline: float | None) -> Vectors:
    """Shape (len(texts), dimension). Raises EmbeddingError, also where it is not done by
    `deadline` (monotonic)."""
    if deadline is None:
        return check_shape(embedder.embed_queries(texts), len(texts), embedder.dimension)
    waiting = in_model_thread(embedder.embed_queries, texts)
    try:
        made = waiting.result(timeout=max(0.0, deadline - time.monotonic()))
        return check_shape(made, len(texts), embedder.dimension)
    except FutureTimeout:
        waiting.cancel()
        raise EmbedderUnavailable("The query's vector was not ready in time.") from None
