"""Sessions of an old store, as they are kept here. A session that is there takes what is new."""

from collections.abc import Mapping, Sequence

import msgspec

from memories.changes import rows
from memories.importers.places import Place
from memories.importers.rows import OldSession, SessionName
from memories.importers.seen import MISSING, Seen

Places = Mapping[SessionName, Place]


def compare_sessions(batch: Sequence[OldSession], places: Places) -> list[Seen]:
    found = {row[0]: Seen(True, False, *row[1:]) for row in rows(_COMPARE, [_told(batch, places)])}
    return [found.get(places[session.name].session_id, MISSING) for session in batch]


def keep_sessions(batch: Sequence[OldSession], places: Places) -> None:
    rows(_KEEP, [_told(batch, places)])


def _told(batch: Sequence[OldSession], places: Places) -> str:
    once = {places[session.name].session_id: session for session in reversed(batch)}
    return msgspec.json.encode([_row(s, places[s.name]) for s in once.values()]).decode()


def _row(session: OldSession, place: Place) -> dict[str, object]:
    return {
        "id": place.session_id,
        "owner_id": place.owner_id,
        "user_id": session.name.user_id,
        "session_type": session.session_type,
        "metadata": msgspec.Raw(session.metadata_json),
        "summary": session.summary,
        "created_at": session.created_at,
        "updated_at": session.updated_at or session.created_at,
        "ended_at": session.ended_at,
    }


_NAMED = """jsonb_to_recordset(%s::jsonb) AS n (id text, owner_id uuid, user_id text,
    session_type text, metadata jsonb, summary text, created_at timestamptz,
    updated_at timestamptz, ended_at timestamptz)"""

# Of the metadata only what the file tells; of the summary the newer one counts.
_COMPARE = f"""
SELECT s.id,
    hashtextextended(jsonb_build_array(n.user_id, n.metadata, n.summary)::text, 0),
    hashtextextended(jsonb_build_array(s.user_id, coalesce((
            SELECT jsonb_object_agg(k, s.metadata -> k) FROM jsonb_object_keys(n.metadata) k
            WHERE s.metadata ? k), '{{}}'),
        CASE WHEN s.updated_at > n.updated_at THEN n.summary ELSE s.summary END)::text, 0)
FROM {_NAMED}
JOIN sessions s ON s.owner_id = n.owner_id AND s.id = n.id"""

_KEEP = f"""
INSERT INTO sessions AS s (id, owner_id, user_id, session_type, metadata, summary, created_at,
    updated_at, ended_at, is_archived)
SELECT n.id, n.owner_id, n.user_id, n.session_type, n.metadata, n.summary, n.created_at,
    n.updated_at, n.ended_at, false
FROM {_NAMED}
ORDER BY n.id
ON CONFLICT (id) DO UPDATE SET
    metadata = s.metadata || excluded.metadata,
    summary = CASE WHEN excluded.summary <> '' AND excluded.updated_at >= s.updated_at
        THEN excluded.summary ELSE coalesce(nullif(s.summary, ''), excluded.summary) END,
    created_at = least(s.created_at, excluded.created_at),
    updated_at = greatest(s.updated_at, excluded.updated_at),
    ended_at = coalesce(s.ended_at, excluded.ended_at)
WHERE s.owner_id = excluded.owner_id AND (
    NOT s.metadata @> excluded.metadata OR s.created_at > excluded.created_at
    OR s.updated_at < excluded.updated_at OR s.summary <> excluded.summary
    OR s.ended_at IS NULL AND excluded.ended_at IS NOT NULL)"""
