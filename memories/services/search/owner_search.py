"""Search in all that one owner has, in memory: every memory with a vector is compared and ranked,
and the database says only what the query's words are, what the filter lets through, and whether
words may find what has no vector yet. Called by search.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from memories.changes import rows, rows_planned_anew
from memories.services.filters import Scope
from memories.services.search.ask import FILTER_CTE, Ask
from memories.services.search.lacking import Lacking, has_unqueued, lacking_sql
from memories.services.search.lexical import lexeme_queries_sql, lexemes_sql
from memories.services.search.owner_index import Mark, OwnerIndex
from memories.services.search.owner_indexes import MARK, find_index, synchronise
from memories.services.search.ranking import (
    Best,
    Prepared,
    Wish,
    judge,
    prepare,
)


class _Said(NamedTuple):
    """What the database says of a query: the mark of the owner's vectors, its words, which memories
    have expired, what lacks a vector, and which memories the filter lets through, where that is not
    known here."""

    mark: Mark
    lexemes: Sequence[str]
    expired: Sequence[str]
    lacking: Lacking
    passing: Sequence[str] | None


class _Busy(Exception):
    """Somebody else holds the index for longer than this search can wait."""


def search_owner(
    ask: Ask, wish: Wish, deadline: float | None, wait_for_pending: Callable[[], None]
) -> Best | None:
    """None where the database is to choose what is ranked. `wait_for_pending` is called where the
    owner has memories without a vector."""
    owner_id = ask.filter.searched_owner()
    index = find_index(ask, owner_id, deadline) if owner_id else None
    if owner_id is None or index is None:
        return None
    said = _ask_database(ask)
    if said.lacking.memories:
        wait_for_pending()
        said = _ask_database(ask)
    if wish.weights and _is_missed(ask, owner_id, said):
        return None
    if not synchronise(index, owner_id, ask.model_id, said.mark, deadline):
        return None
    try:
        return _rank(ask, wish, index, said, deadline)
    except _Busy:
        return None


@contextmanager
def _held(index: OwnerIndex, deadline: float | None) -> Iterator[None]:
    """Whoever reads all that has come holds it for long: half of the time is left to the database.
    Raises _Busy."""
    seconds = -1 if deadline is None else max(0.0, deadline - time.monotonic()) / 2
    if not index.lock.acquire(timeout=seconds):
        raise _Busy
    try:
        yield
    finally:
        index.lock.release()


def _is_missed(ask: Ask, owner_id: UUID, said: _Said) -> bool:
    """Whether words may find something that is not in the index, since it lacks a vector."""
    known = said.mark.vectors + said.lacking.memories
    return said.lacking.may_be_found() or has_unqueued(owner_id, ask.model_id, known)


class _Prepared(NamedTuple):
    """An index as it was at `mark`, with all that can be said before the query's vector is there.
    `passes`: what the filter lets through."""

    mark: Mark
    ranking: Prepared
    passes: NDArray[np.bool_]


def _rank(ask: Ask, wish: Wish, index: OwnerIndex, said: _Said, deadline: float | None) -> Best:
    """Under the lock nothing is waited for, since that would hold up all of its owner's searches.
    What is prepared while the vector is being made is prepared again where the index has changed.
    Raises _Busy."""
    with _held(index, deadline):
        prepared = _prepare(ask, wish, index, said)
    vector = ask.vector
    with _held(index, deadline):
        if prepared.mark != index.mark:
            prepared = _prepare(ask, wish, index, said)
        compared = index.compare(vector, ask.centred)
        judged = judge(prepared.ranking, compared, prepared.passes, wish.min_similarity)
        return judged.best(index.ids, wish.limit)


def _prepare(ask: Ask, wish: Wish, index: OwnerIndex, said: _Said) -> _Prepared:
    masks = index.masks(said.lexemes)
    scale = index.lexical_scale(masks, len(said.lexemes))
    ranking = prepare(index.candidates(ask.text, masks), scale, wish.weights)
    return _Prepared(index.mark, ranking, _passing(ask, index, said))


def _passing(ask: Ask, index: OwnerIndex, said: _Said) -> NDArray[np.bool_]:
    if said.passing is None:
        passes = index.facts["alive"].copy()
    else:
        passes = np.zeros(len(index), bool)
        passes[index.places_of(said.passing)] = True
    passes[index.places_of(said.expired)] = False
    if ask.filter.scope is Scope.SESSION:
        passes &= index.of_session(ask.filter.session_id)
    return passes


def _ask_database(ask: Ask) -> _Said:
    """In one statement, since each costs more to send than to carry out."""
    parameters = ask.asked | {"model": ask.model_id}
    expired = """ARRAY(
        SELECT m.id FROM memory_entries m
        WHERE m.owner_id = %(owner)s AND m.deleted_at IS NULL AND m.expires_at <= now())"""
    sql = f"SELECT mark.*, {lexemes_sql()}, {expired}, {lacking_sql(lexeme_queries_sql())}"
    of_mark = f"FROM ({MARK}) AS mark"
    if not ask.must and set(ask.filter.shape()) <= {"alive", "owner", "session"}:
        [row] = rows(f"{sql} {of_mark}", parameters)
        return _read(*row)
    passing = f"ARRAY(SELECT m.id FROM memory_entries m CROSS JOIN q WHERE {ask.conditions()})"
    [row] = rows_planned_anew(f"WITH {FILTER_CTE} {sql}, {passing} {of_mark}", parameters)
    return _read(*row)


def _read(
    vectors: int,
    sum_of_ids: int,
    lexemes: Sequence[str],
    expired: Sequence[str],
    lacking: Sequence[int],
    passing: Sequence[str] | None = None,
) -> _Said:
    return _Said(Mark(vectors, sum_of_ids), lexemes, expired, Lacking(*lacking), passing)
