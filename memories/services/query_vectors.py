"""The vectors of queries, made in one model call for a batch. Called by search."""

import logging
import time
from collections.abc import Sequence
from concurrent.futures import TimeoutError as FutureTimeout

from memories.embedders.base import Embedder, Vectors, check_shape
from memories.embedders.errors import EmbedderUnavailable, EmbeddingError
from memories.services.embedder_use import Kind, noting_use
from memories.services.model_threads import in_model_thread

logger = logging.getLogger(__name__)


def embed_queries(embedder: Embedder, texts: Sequence[str], deadline: float | None) -> Vectors:
    """Shape (len(texts), dimension). Raises EmbeddingError, also where it is not done by
    `deadline` (monotonic)."""
    if deadline is None:
        return _embed(embedder, texts)
    waiting = in_model_thread(_embed, embedder, texts)
    try:
        return waiting.result(timeout=max(0.0, deadline - time.monotonic()))
    except FutureTimeout:
        waiting.cancel()
        raise EmbedderUnavailable("The query's vector was not ready in time.") from None


def _embed(embedder: Embedder, texts: Sequence[str]) -> Vectors:
    try:
        with noting_use(Kind.QUERY, len(texts)):
            made = embedder.embed_queries(texts)
        return check_shape(made, len(texts), embedder.dimension)
    except EmbeddingError:
        raise
    except Exception as error:  # the boundary of a model's library, which raises what it likes
        logger.exception("The embedder %s failed on a query.", embedder.name)
        raise EmbedderUnavailable(f"The embedder failed ({type(error).__name__}).") from error
