"""The vectors of queries: made in a thread of their own, while the search asks the database what
needs no vector. Called by search."""

import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import TimeoutError as FutureTimeout
from functools import partial
from typing import TypeAlias

from django.conf import settings

from memories.embedders.base import Embedder, Vectors, check_shape, check_vector
from memories.embedders.circuit import Circuit
from memories.embedders.errors import EmbedderUnavailable, EmbeddingError
from memories.errors import MemoriesError, SearchFailed, ValidationFailed
from memories.services.embedding.embedder_use import Kind, noting_use
from memories.services.embedding.model_threads import in_model_thread
from memories.services.embedding.models import Serving
from memories.services.search.lexical import MAX_QUERY_CHARACTERS
from memories.services.search.query import RESERVE_SECONDS, Query, SearchType

logger = logging.getLogger(__name__)

# Waits for a unit vector of shape (dimension,); raises EmbeddingError.
AwaitVector: TypeAlias = Callable[[], Vectors]

# A model that hung so often in a row is not waited for, but by one query each time this has passed:
# each search would take its whole QUERY_EMBED_SECONDS, and hold up those behind it.
_HANGS_TO_OPEN = 3
_OPEN_SECONDS = 10.0

_circuits: dict[str, Circuit] = {}


def begin_vectors(
    current: Serving | None, queries: Sequence[Query]
) -> list[AwaitVector | MemoriesError | None]:
    """Of each query that wants one; those without a deadline in one model call."""
    vectors: list[AwaitVector | MemoriesError | None] = [None] * len(queries)
    if current is None:
        return vectors
    patient = []
    for place, query in enumerate(queries):
        if query.search_type is SearchType.KEYWORD:
            continue
        if query.vector is not None:
            vectors[place] = _given(query.vector, current.embedder.dimension)
        elif query.deadline is not None:
            [vectors[place]] = _begin(current, [query], query.deadline - RESERVE_SECONDS)
        else:
            patient.append(place)
    if patient:
        begun = _begin(current, [queries[place] for place in patient], None)
        for place, vector in zip(patient, begun, strict=True):
            vectors[place] = vector
    return vectors


def to_embed(query: Query) -> str:
    return query.text[:MAX_QUERY_CHARACTERS]


def forget_hangs() -> None:
    _circuits.clear()


def _begin(
    current: Serving, queries: Sequence[Query], deadline: float | None
) -> Sequence[AwaitVector | MemoriesError]:
    try:
        return _call_model(current.embedder, [to_embed(query) for query in queries], deadline)
    except EmbeddingError as error:
        return [SearchFailed(str(error))] * len(queries)


def _given(values: Sequence[float], dimension: int) -> AwaitVector | MemoriesError:
    try:
        vector = check_vector(values, dimension)
    except ValueError as error:
        return ValidationFailed("payload.query_embedding", f"{error}.")
    return lambda: vector


def _call_model(
    embedder: Embedder, texts: Sequence[str], deadline: float | None
) -> list[AwaitVector]:
    """One for each text, all of one model call. They raise EmbeddingError, also where the call is
    not done by `deadline` (monotonic) or within QUERY_EMBED_SECONDS, as this does where the model
    has hung of late."""
    circuit = _circuits.setdefault(embedder.name, Circuit(_HANGS_TO_OPEN, _OPEN_SECONDS))
    circuit.admit()
    hangs_at = time.monotonic() + float(settings.QUERY_EMBED_SECONDS)
    ends_at = hangs_at if deadline is None else min(deadline, hangs_at)
    made = in_model_thread(_embed, embedder, texts)

    def wait(place: int) -> Vectors:
        try:
            vector: Vectors = made.result(timeout=max(0.0, ends_at - time.monotonic()))[place]
        except FutureTimeout:
            made.cancel()
            if time.monotonic() >= hangs_at:  # a short deadline is no fault of the model
                circuit.note_failure()
            raise EmbedderUnavailable("The query's vector was not ready in time.") from None
        circuit.note_success()
        return vector

    return [partial(wait, place) for place in range(len(texts))]


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
