"""The vectors of queries, made in one model call for a batch. Called by search."""

import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout

from memories.embedders.base import Embedder, Vectors
from memories.embedders.errors import EmbedderUnavailable

# What is given up waiting for goes on in its thread; so many may hang before searches feel it.
_threads = ThreadPoolExecutor(max_workers=8, thread_name_prefix="query-vectors")


def embed_queries(embedder: Embedder, texts: Sequence[str], deadline: float | None) -> Vectors:
    """Shape (len(texts), dimension). Raises EmbeddingError, also where it is not done by
    `deadline` (monotonic)."""
    if deadline is None:
        return embedder.embed_queries(texts)
    waiting: Future[Vectors] = _threads.submit(embedder.embed_queries, texts)
    try:
        return waiting.result(timeout=max(0.0, deadline - time.monotonic()))
    except FutureTimeout:
        waiting.cancel()
        raise EmbedderUnavailable("The query's vector was not ready in time.") from None
