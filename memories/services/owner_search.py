"""Search in all that one owner has, in memory: every memory is compared and ranked, and the
database says only what the query's words are and what the filter lets through. Called by search.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from memories.changes import ALIVE, rows, rows_planned_anew
from memories.embedders.base import Vectors
from memories.services.ask import FILTER_CTE, Ask
from memories.services.filters import Scope
from memories.services.lexical import lexemes_sql
from memories.services.owner_index import OwnerIndex
from memories.services.owner_indexes import ready_index
from memories.services.ranking import (
    Best,
    Candidates,
    Floats,
    Indexes,
    Wish,
    age_days,
    judge,
    names_speaker,
)

# The priorities of so many beyond the limit are asked anew, since they change without a vector.
_SPARE = 32


class _Said(NamedTuple):
    """What the database says of a query: its words, which memories have expired, and which ones
    the filter lets through, where that is not known here."""

    lexemes: Sequence[str]
    expired: Sequence[str]
    passing: Sequence[str] | None


def search_owner(ask: Ask, wish: Wish, deadline: float | None) -> Best | None:
    """None where the database is to choose what is ranked."""
    index = ready_index(ask, deadline)
    if index is None:
        return None
    said = _ask_database(ask)
    vector = ask.vector  # waited for here, since under the lock it would hold up all of its owner's
    with index.lock:
        best = _rank(ask, vector, wish, index, said)
    priorities = _read_priorities(ask, best)
    with index.lock:
        if index.renew_priorities(priorities):
            best = _rank(ask, vector, wish, index, said)
        count = index.alive_count
    # What has no text has no vector, and comes last: only the database knows of it.
    if wish.weights and len(best.found) < wish.limit and count != ask.statistics.memory_count:
        return None
    return best._replace(found=best.found[: wish.limit])


def _rank(ask: Ask, vector: Vectors, wish: Wish, index: OwnerIndex, said: _Said) -> Best:
    dots = index.dots(vector)
    masks = index.masks(said.lexemes)
    judged = judge(
        _candidates(ask, index, masks, index.vector_scores(vector, dots)),
        index.lexical_scale(masks, len(said.lexemes)),
        dots,
        _passing(ask, index, said),
        wish,
    )
    return judged.best(index.ids, wish.limit + _SPARE)


def _candidates(ask: Ask, index: OwnerIndex, masks: Indexes, vector_scores: Floats) -> Candidates:
    facts = index.facts
    return Candidates(
        session=facts["session"],
        previous=index.neighbours.previous,
        next=index.neighbours.next,
        mask=masks,
        words=facts["words"],
        characters=facts["characters"],
        asks=facts["asks"],
        named=index.spoken_by(lambda speaker: names_speaker(ask.text, speaker)),
        priority=facts["priority"],
        age_days=age_days(facts["created_us"]),
        vector_scores=vector_scores,
    )


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
    sql = f"""
        SELECT {lexemes_sql()}, ARRAY(
            SELECT m.id FROM memory_entries m WHERE m.owner_id = %(owner)s
                AND m.deleted_at IS NULL AND m.expires_at <= now())"""
    if not ask.must and set(ask.filter.shape()) <= {"alive", "owner", "session"}:
        [(lexemes, expired)] = rows(sql, ask.asked)
        return _Said(lexemes, expired, None)
    passing = f"ARRAY(SELECT m.id FROM memory_entries m CROSS JOIN q WHERE {ask.conditions()})"
    [said] = rows_planned_anew(f"WITH {FILTER_CTE} {sql}, {passing}", ask.asked)
    return _Said(*said)


def _read_priorities(ask: Ask, best: Best) -> list[tuple[str, int]]:
    found = rows(
        f"""
        SELECT m.id, m.priority FROM memory_entries m
        WHERE m.owner_id = %(owner)s AND m.id = ANY(%(ids)s) AND {ALIVE}""",
        {"owner": ask.filter.owner_id, "ids": [an_id for an_id, _ in best.found]},
    )
    return [(an_id, priority) for an_id, priority in found]
