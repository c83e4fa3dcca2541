"""Find memories by what they say and what they mean. Called by handlers, context and admin."""

import logging
import time
from collections.abc import Sequence

import msgspec
import numpy as np
from django.conf import settings

from memories.deadlines import OutOfTime, ending_by
from memories.embedders.errors import EmbeddingError
from memories.errors import MemoriesError, SearchFailed, ValidationFailed
from memories.services.embedding.models import Serving, name_of, serving
from memories.services.fetch import fetch_memories
from memories.services.results import within
from memories.services.search.ask import Ask
from memories.services.search.candidates import compare, find_candidates, to_rank
from memories.services.search.lexical import LexicalQuery, find_by_words, read_query
from memories.services.search.owner_search import search_owner
from memories.services.search.pending import embed_pending
from memories.services.search.query import (
    RESERVE_SECONDS,
    Found,
    Query,
    SearchMetadata,
    SearchResults,
    SearchType,
)
from memories.services.search.query_vectors import AwaitVector, begin_vectors, to_embed
from memories.services.search.ranking import SIMILARITY_PLACES, Best, Wish, judge, prepare

logger = logging.getLogger(__name__)

# A search whose deadline is over already may still look for its words so long.
_LEAST_SECONDS = 0.05


def search_memories(queries: Sequence[Query]) -> list[SearchResults | MemoriesError]:
    """Best first. The queries are embedded in one model call; each then has its own statements,
    since ranking outweighs the round trip and a slow one is to delay no other."""
    current: Serving | None = None
    vectors: Sequence[AwaitVector | MemoriesError | None]
    try:
        current = serving()
        vectors = begin_vectors(current, queries)
    except EmbeddingError as error:
        vectors = [SearchFailed(str(error))] * len(queries)
    return [_search(query, current, vector) for query, vector in zip(queries, vectors, strict=True)]


def _search(
    query: Query, current: Serving | None, vector: AwaitVector | MemoriesError | None
) -> SearchResults | MemoriesError:
    try:
        if query.search_type is SearchType.KEYWORD:
            return _by_words(query, partial=False)
        if isinstance(vector, ValidationFailed):
            return vector
        if isinstance(vector, MemoriesError):
            return _without_vector(query, vector)
        if current is None or vector is None:
            error = SearchFailed("No embedding model is active: nothing is found by meaning.")
            return _without_vector(query, error)
        return _with_vector(query, current, vector)
    except OutOfTime:
        return SearchFailed("The search was not done by its deadline.")


def _without_vector(query: Query, error: MemoriesError) -> SearchResults | MemoriesError:
    """Hybrid search has the words yet."""
    return _by_words(query, partial=True) if query.search_type is SearchType.HYBRID else error


def _with_vector(
    query: Query, current: Serving, vector: AwaitVector
) -> SearchResults | MemoriesError:
    """With a deadline the words' answer is made first, so that it is there when time is up."""
    words = None
    if query.deadline is not None and query.search_type is SearchType.HYBRID:
        words = _by_words(query, partial=True)
    pending = _Pending(query, current)
    try:
        if query.deadline is None:
            return _by_meaning(query, current, vector, pending)
        pending.wait()
        made = vector()  # waited for before a transaction is open
        with ending_by(query.deadline - RESERVE_SECONDS):
            return _by_meaning(query, current, lambda: made, pending)
    except EmbeddingError as error:
        logger.warning("A query could not be embedded: %s", error)
        failed = SearchFailed(f"The query could not be embedded: {error}")
        return words or _without_vector(query, failed)
    except OutOfTime:
        if words is None:
            raise
        return words


class _Pending:
    """What lacks a vector in the scope of a query: waited for once, when somebody asks.

    Of what a deadline leaves, half is for that: the search itself needs the rest. `count`: memories
    that will not have a vector in time."""

    def __init__(self, query: Query, current: Serving) -> None:
        self.count = 0
        self._query = query
        self._current = current
        self._is_waited_for = False

    def wait(self) -> None:
        if self._is_waited_for or self._query.filter.finds_nothing():
            return
        self._is_waited_for = True
        deadline = self._query.deadline
        if deadline is not None:
            now = time.monotonic()
            deadline = now + max(0.0, deadline - RESERVE_SECONDS - now) / 2
        self.count = embed_pending(self._query.filter, self._current, deadline)


def _by_meaning(
    query: Query, current: Serving, vector: AwaitVector, pending: _Pending
) -> SearchResults:
    """Semantic and hybrid search: the order, and the memories themselves."""
    best = Best([], 0)
    if not query.filter.finds_nothing():
        ask, wish = _ask(query, current, vector), _wish(query)
        in_memory = None
        # Where clients give the vectors, words may find a memory that has none, at any time.
        if current.embedder.embeds_text or query.search_type is SearchType.SEMANTIC:
            in_memory = search_owner(ask, wish, query.deadline, pending.wait)
        best = in_memory or _search_candidates(ask, wish, pending, current.embedder.embeds_text)
    metadata = SearchMetadata(
        query.search_type,
        name_of(current.embedder),
        current.embedder.dimension,
        pending=pending.count or msgspec.UNSET,
    )
    return _results(query, _read(best.found), best.total, metadata)


def _results(
    query: Query, found: list[Found], total: int, metadata: SearchMetadata
) -> SearchResults:
    shown = within(found, query.max_bytes)
    if len(shown) < len(found):
        metadata = msgspec.structs.replace(metadata, has_more=True)
    return SearchResults(shown, total, metadata)


def _ask(query: Query, current: Serving, vector: AwaitVector) -> Ask:
    hybrid = query.search_type is SearchType.HYBRID
    parts = read_query(query.text) if hybrid else LexicalQuery("", "")
    return Ask(
        text=to_embed(query),
        words=parts.words,
        must=parts.must,
        await_vector=vector,
        dimension=current.embedder.dimension,
        filter=query.filter,
        model_id=current.model_id,
        centred=query.centred,
    )


def _wish(query: Query) -> Wish:
    hybrid = query.search_type is SearchType.HYBRID
    return Wish(query.limit, query.min_similarity, settings.SEARCH_WEIGHTS if hybrid else None)


def _search_candidates(ask: Ask, wish: Wish, pending: _Pending, all_have_vectors: bool) -> Best:
    """Where the database chooses what is ranked. Where every vector is near enough, all that the
    filter lets through are answers, not the candidates alone."""
    pending.wait()
    pool = find_candidates(ask)
    found = list(pool.rows.values())
    if not found:
        return Best([], 0)
    prepared = prepare(to_rank(ask, pool), pool.scale, wish.weights)
    passes = np.array([row.passes for row in found])
    judged = judge(prepared, compare(ask, found), passes, wish.min_similarity)
    best = judged.best([row.id for row in found], wish.limit)
    if all_have_vectors and not wish.min_similarity:
        return best._replace(total=max(best.total, pool.passing))
    return best


def _by_words(query: Query, *, partial: bool) -> SearchResults:
    if query.deadline is None:
        return _find_by_words(query, partial=partial)
    least = time.monotonic() + _LEAST_SECONDS
    with ending_by(max(query.deadline - RESERVE_SECONDS, least)):
        return _find_by_words(query, partial=partial)


def _find_by_words(query: Query, *, partial: bool) -> SearchResults:
    parts = read_query(query.text)
    found: list[tuple[str, float]] = []
    total = 0
    if parts.words and not query.filter.finds_nothing():
        found, total = find_by_words(parts, query.filter, query.limit)
    metadata = SearchMetadata(SearchType.KEYWORD, None, None, partial=partial or msgspec.UNSET)
    return _results(query, _read(found), total, metadata)


def _read(best: Sequence[tuple[str, float]]) -> list[Found]:
    memories = fetch_memories([an_id for an_id, _ in best])
    return [
        Found(
            **msgspec.structs.asdict(memories[an_id].memory),
            similarity_score=round(similarity, SIMILARITY_PLACES),
        )
        for an_id, similarity in best
        if an_id in memories
    ]
