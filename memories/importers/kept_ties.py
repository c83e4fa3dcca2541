"""Relationships of an old store, as they are kept here. One that is there stays as it is."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import msgspec

from memories.changes import rows
from memories.importers.seen import MISSING, Seen


class PlacedTie(NamedTuple):
    owner_id: UUID
    source_id: str
    target_id: str
    relationship_type: str
    strength: float
    metadata: msgspec.Raw
    created_at: datetime


def compare_ties(batch: Sequence[PlacedTie]) -> list[Seen]:
    found = {row[:3]: Seen(True, False, row[3], row[3]) for row in rows(_COMPARE, [_told(batch)])}
    return [found.get(tie[1:4], MISSING) for tie in batch]


def keep_ties(batch: Sequence[PlacedTie]) -> None:
    """An end that is not stored leaves its tie out."""
    rows(_KEEP, [_told(batch)])


def stored_ids(batch: Sequence[PlacedTie]) -> set[str]:
    """Those of the ends that are here."""
    ends = {an_id for tie in batch for an_id in (tie.source_id, tie.target_id)}
    found = rows(
        "SELECT id FROM memory_entries WHERE owner_id = ANY(%s) AND id = ANY(%s)",
        [list({tie.owner_id for tie in batch}), list(ends)],
    )
    return {an_id for (an_id,) in found}


def _told(batch: Sequence[PlacedTie]) -> str:
    once = {tie[:4]: tie._asdict() for tie in reversed(batch)}
    return msgspec.json.encode(list(once.values())).decode()


_NAMED = """jsonb_to_recordset(%s::jsonb) AS n (owner_id uuid, source_id text, target_id text,
    relationship_type text, strength float, metadata jsonb, created_at timestamptz)"""

_COMPARE = f"""
SELECT r.source_id, r.target_id, r.relationship_type,
    hashtextextended(concat_ws(' ', r.source_id, r.target_id, r.relationship_type), 0)
FROM {_NAMED} JOIN relationships r ON r.owner_id = n.owner_id AND r.source_id = n.source_id
    AND r.target_id = n.target_id AND r.relationship_type = n.relationship_type"""

_KEEP = f"""
INSERT INTO relationships (owner_id, source_id, target_id, relationship_type, strength, metadata,
    created_at)
SELECT n.* FROM {_NAMED}
JOIN memory_entries s ON s.owner_id = n.owner_id AND s.id = n.source_id
JOIN memory_entries t ON t.owner_id = n.owner_id AND t.id = n.target_id
ORDER BY n.owner_id, n.source_id, n.target_id, n.relationship_type
ON CONFLICT (owner_id, source_id, target_id, relationship_type) DO NOTHING"""
