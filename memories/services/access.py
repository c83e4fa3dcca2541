"""The access log: folded accesses become one row a memory, agent, action and day."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import NamedTuple

from memories.changes import rows
from memories.services.owners import names_of


class Access(NamedTuple):
    memory_id: str
    agent_id: str
    action: str
    day: date


def log_accesses(folded: Mapping[Access, int], at: datetime) -> None:
    """Add the counts to the log, in one statement; memories that are unknown, or were
    erased since they were read, are passed over."""
    names = names_of({access.memory_id for access in folded})
    # In the order of the unique index: two flushes that meet in another order would deadlock.
    known = sorted(access for access in folded if access.memory_id in names)
    if not known:
        return
    rows(
        """
        INSERT INTO access_log (owner_id, memory_id, agent_id, action, day, accesses, last_at)
        SELECT n.owner_id, n.memory_id, n.agent_id, n.action, n.day, n.accesses, %s
        FROM unnest(%s::uuid[], %s::text[], %s::text[], %s::text[], %s::date[], %s::int[])
            AS n (owner_id, memory_id, agent_id, action, day, accesses)
            JOIN memory_entries m ON m.owner_id = n.owner_id AND m.id = n.memory_id
        ORDER BY n.owner_id, n.memory_id, n.agent_id, n.action, n.day
        ON CONFLICT (owner_id, memory_id, agent_id, action, day) DO UPDATE
        SET accesses = access_log.accesses + excluded.accesses, last_at = excluded.last_at""",
        [
            at,
            [names[access.memory_id].owner_id for access in known],
            [access.memory_id for access in known],
            [access.agent_id for access in known],
            [access.action for access in known],
            [access.day for access in known],
            [folded[access] for access in known],
        ],
    )
