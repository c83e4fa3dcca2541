"""The access log: folded accesses become one row a memory, agent, action and day. What concerns no
memory but its owner, as a profile or a session, has the memory id ""."""

from collections import Counter
from collections.abc import Mapping
from datetime import date, datetime
from typing import NamedTuple
from uuid import UUID

import msgspec

from memories import ids
from memories.changes import rows
from memories.services.owners import names_of
from memories.services.sessions import owners_of_sessions


class Access(NamedTuple):
    """Of a memory, else of what a session or a user has."""

    memory_id: str
    agent_id: str
    action: str
    day: date
    session_id: str = ""
    user_id: str = ""


class _Row(NamedTuple):
    owner_id: UUID
    memory_id: str
    agent_id: str
    action: str
    day: date


def log_accesses(folded: Mapping[Access, int], at: datetime) -> None:
    """Add the counts to the log, in one statement; memories and sessions that are unknown, and
    owners that were erased since, are passed over."""
    counts = _by_row(folded)
    # In the order of the unique index: two flushes that meet in another order would deadlock.
    known = [row._asdict() | {"accesses": counts[row]} for row in sorted(counts)]
    if not known:
        return
    rows(
        """
        INSERT INTO access_log (owner_id, memory_id, agent_id, action, day, accesses, last_at)
        SELECT n.owner_id, n.memory_id, n.agent_id, n.action, n.day, n.accesses, %s
        FROM jsonb_to_recordset(%s::jsonb) AS n (owner_id uuid, memory_id text, agent_id text,
                action text, day date, accesses int)
            LEFT JOIN memory_entries m ON m.owner_id = n.owner_id AND m.id = n.memory_id
        WHERE m.id IS NOT NULL OR n.memory_id = '' AND (
            EXISTS (SELECT FROM sessions s WHERE s.owner_id = n.owner_id)
            OR EXISTS (SELECT FROM user_profiles p WHERE p.owner_id = n.owner_id))
        ORDER BY n.owner_id, n.memory_id, n.agent_id, n.action, n.day
        ON CONFLICT (owner_id, memory_id, agent_id, action, day) DO UPDATE
        SET accesses = access_log.accesses + excluded.accesses, last_at = excluded.last_at""",
        [at, msgspec.json.encode(known).decode()],
    )


def _by_row(folded: Mapping[Access, int]) -> Counter[_Row]:
    """Sessions of one owner share a row."""
    names = names_of({access.memory_id for access in folded} - {""})
    sessions = owners_of_sessions({access.session_id for access in folded} - {""})
    counts: Counter[_Row] = Counter()
    for access, count in folded.items():
        if access.memory_id:
            owner = names[access.memory_id].owner_id if access.memory_id in names else None
        elif access.user_id:
            owner = ids.owner_of_user(access.user_id)
        else:
            owner = sessions.get(access.session_id)
        if owner:
            row = _Row(owner, access.memory_id, access.agent_id, access.action, access.day)
            counts[row] += count
    return counts
