"""The vectors of queries: made in a thread of their own, while the search asks the database what
needs no vector. Called by search."""

import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from functools import partial
from typing import TypeAlias

from memories.embedders.base import Embedder, Vectors, check_shape
from memories.embedders.errors import EmbedderUnavailable, EmbeddingError
from memories.services.embedder_use import Kind, noting_use
from memories.services.model_threads import in_model_thread

logger = logging.getLogger(__name__)

# Waits for a unit vector of shape (dimension,); raises EmbeddingError.
AwaitVector: TypeAlias = Callable[[], Vectors]


def begin_vectors(embedder: Embedder, texts: Sequence[str], deadline: float) -> list[AwaitVector]:
    """One for each text, all of one model call. They raise EmbeddingError, also where the call is
    not done by `deadline` (monotonic)."""
    made = in_model_thread(_embed, embedder, texts)
    return [partial(_await, made, place, deadline) for place in range(len(texts))]


def _await(made: Future[Vectors], place: int, deadline: float) -> Vectors:
    try:
        left_seconds = max(0.0, deadline - time.monotonic())
        vector: Vectors = made.result(timeout=left_seconds)[place]
        return vector
    except FutureTimeout:
        made.cancel()
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
