"""Owners as people see them: who talked last, and how much an owner has. Called by the admin.

Every count ends at a limit, and each statement follows an index.
"""

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from memories import ids
from memories.changes import rows

MOST_COUNTED = 10_000
TIMELINE_MEMORIES = 50_000


@dataclass(frozen=True, slots=True)
class Person:
    """An owner by its newest session; `user_id` is "" where that session names no user."""

    owner_id: UUID
    user_id: str
    session_id: str
    last_session_at: datetime


@dataclass(frozen=True, slots=True)
class Holding:
    """What an owner has; the counts end at MOST_COUNTED + 1."""

    memories: int
    sessions: int
    first_at: datetime | None
    last_at: datetime | None


def list_people(limit: int, after_session: str = "") -> list[Person]:
    """Who talked last comes first. `after_session`: the newest session of the last one seen.

    Few owners may have a million sessions, and many owners one each: the few are gone through
    owner by owner, the many from session to session.
    """
    owners = rows(_SOME_OWNERS, {"most": _FEW_OWNERS + 1})
    source = _OF_OWNERS if len(owners) <= _FEW_OWNERS else _FROM_THE_NEWEST
    after = ""
    if after_session:
        after = """(s.created_at < (SELECT created_at FROM sessions WHERE id = %(after)s)
            OR s.created_at = (SELECT created_at FROM sessions WHERE id = %(after)s)
                AND s.id > %(after)s) AND"""
    found = rows(
        f"""
        SELECT s.owner_id, s.user_id, s.id, s.created_at FROM {source.format(after=after)}
        ORDER BY s.created_at DESC, s.id LIMIT %(limit)s""",
        {"after": after_session, "limit": limit, "owners": [owner for (owner,) in owners]},
    )
    return [Person(*row) for row in found]


_FEW_OWNERS = 1_000
# From owner to owner along the index.
_SOME_OWNERS = """
WITH RECURSIVE owners AS (
    (SELECT owner_id FROM sessions ORDER BY owner_id LIMIT 1)
    UNION ALL
    SELECT (SELECT s.owner_id FROM sessions s WHERE s.owner_id > owners.owner_id
            ORDER BY s.owner_id LIMIT 1)
    FROM owners WHERE owners.owner_id IS NOT NULL)
SELECT owner_id FROM owners WHERE owner_id IS NOT NULL LIMIT %(most)s"""
_OF_OWNERS = """unnest(%(owners)s::uuid[]) AS o (owner_id) CROSS JOIN LATERAL (
    SELECT n.* FROM sessions n WHERE n.owner_id = o.owner_id
    ORDER BY n.created_at DESC, n.id LIMIT 1) s WHERE {after} true"""
_FROM_THE_NEWEST = """sessions s WHERE {after} s.id = (
    SELECT n.id FROM sessions n WHERE n.owner_id = s.owner_id
    ORDER BY n.created_at DESC, n.id LIMIT 1)"""


def find_owner(term: str) -> UUID | None:
    """The owner of this user id, session id or UUID, if it has a session or a profile."""
    for owner_id in _owners_named(term):
        [(is_known,)] = rows(
            """
            SELECT EXISTS (SELECT FROM sessions WHERE owner_id = %(owner)s)
                OR EXISTS (SELECT FROM user_profiles
                    WHERE owner_id = %(owner)s AND user_id = %(term)s)""",
            {"owner": owner_id, "term": term},
        )
        if is_known:
            return owner_id
    return None


def look_at_holding(owner_id: UUID) -> Holding:
    [row] = rows(
        """
        SELECT (SELECT count(*) FROM (SELECT 1 FROM memory_entries
                WHERE owner_id = %(owner)s AND deleted_at IS NULL LIMIT %(most)s) m),
            (SELECT count(*) FROM (SELECT 1 FROM sessions
                WHERE owner_id = %(owner)s LIMIT %(most)s) s),
            (SELECT min(created_at) FROM memory_entries
                WHERE owner_id = %(owner)s AND deleted_at IS NULL),
            (SELECT max(created_at) FROM memory_entries
                WHERE owner_id = %(owner)s AND deleted_at IS NULL)""",
        {"owner": owner_id, "most": MOST_COUNTED + 1},
    )
    return Holding(*row)


def holds_more_than(owner_id: UUID, count: int) -> bool:
    """Whether the owner's memories, alive or deleted, and what they held before are more."""
    [(found,)] = rows(
        """
        SELECT count(*) FROM (
            (SELECT 1 FROM memory_entries WHERE owner_id = %(owner)s AND deleted_at IS NULL
             LIMIT %(most)s)
            UNION ALL
            (SELECT 1 FROM memory_entries WHERE owner_id = %(owner)s AND deleted_at IS NOT NULL
             LIMIT %(most)s)
            UNION ALL
            (SELECT 1 FROM revisions WHERE owner_id = %(owner)s LIMIT %(most)s)) held""",
        {"owner": owner_id, "most": count + 1},
    )
    return bool(found > count)


def count_over_time(owner_id: UUID, unit: str, zone: str) -> dict[tuple[datetime, str], int]:
    """The owner's newest memories by the day, week or month of the zone, and by type."""
    found = rows(
        """
        SELECT date_trunc(%s, m.created_at AT TIME ZONE %s), m.memory_type, count(*)
        FROM (SELECT created_at, memory_type FROM memory_entries
              WHERE owner_id = %s AND deleted_at IS NULL
              ORDER BY created_at DESC, id LIMIT %s) m
        GROUP BY 1, 2 ORDER BY 1, 2""",
        [unit, zone, owner_id, TIMELINE_MEMORIES],
    )
    return {(start, kind): count for start, kind, count in found}


def _owners_named(term: str) -> list[UUID]:
    named = [ids.owner_of_user(term)]
    named += [UUID(str(owner)) for (owner,) in rows(_OWNER_OF_SESSION, [term])]
    with suppress(ValueError):
        named.append(UUID(term))
    return named


_OWNER_OF_SESSION = "SELECT owner_id FROM sessions WHERE id = %s"
