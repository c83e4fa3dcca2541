"""Agent states: what an agent keeps for itself in a session. Called by handlers."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

import msgspec

from memories.changes import rows
from memories.services.results import raw
from memories.services.sessions import owners_of_opened_sessions, owners_of_sessions


class StateName(NamedTuple):
    session_id: str
    agent_id: str


@dataclass(frozen=True, slots=True)
class NewState:
    """`state_json` is the JSON text of an object. `ttl_seconds` counts from the commit."""

    name: StateName
    state_json: bytes
    at: datetime
    ttl_seconds: int | None = None


class StateSeen(msgspec.Struct, frozen=True):
    """`state` is None where the agent has none in this session, or one that has expired."""

    agent_id: str
    state: msgspec.Raw | None = None
    updated_at: datetime | None = None
    expires_at: datetime | None = None


def get_states(names: Sequence[StateName]) -> list[StateSeen]:
    owners = owners_of_sessions({name.session_id for name in names})
    known = [name for name in names if name.session_id in owners]
    found = rows(
        f"""
        SELECT {_COLUMNS} FROM unnest(%s::uuid[], %s::text[], %s::text[])
            AS n (owner_id, session_id, agent_id)
        JOIN agent_states s ON s.owner_id = n.owner_id AND s.session_id = n.session_id
            AND s.agent_id = n.agent_id
        WHERE s.expires_at IS NULL OR s.expires_at > now()""",
        [
            [owners[name.session_id] for name in known],
            [name.session_id for name in known],
            [name.agent_id for name in known],
        ],
    )
    seen = {StateName(row[0], row[1]): _seen(*row) for row in found}
    return [seen.get(name) or StateSeen(name.agent_id) for name in names]


def set_states(new: Sequence[NewState]) -> list[StateSeen]:
    """Put each in place of what the agent had in the session, which is opened where it is unknown.
    No name may occur twice. To be called in a transaction."""
    owners = owners_of_opened_sessions({one.name.session_id for one in new}, at=new[0].at)
    batch = [
        {
            "owner_id": owners[one.name.session_id],
            "session_id": one.name.session_id,
            "agent_id": one.name.agent_id,
            "state": msgspec.Raw(one.state_json),
            "at": one.at,
            "ttl": one.ttl_seconds,
        }
        for one in new
    ]
    stored = {
        StateName(row[0], row[1]): _seen(*row)
        for row in rows(_SET, [msgspec.json.encode(batch).decode()])
    }
    return [stored[one.name] for one in new]


_COLUMNS = "s.session_id, s.agent_id, s.state::text, s.updated_at, s.expires_at"

# In the order of the unique index: two batches that meet in another order would deadlock.
_SET = f"""
INSERT INTO agent_states AS s (owner_id, session_id, agent_id, state, updated_at, expires_at)
SELECT n.owner_id, n.session_id, n.agent_id, n.state, n.at, now() + n.ttl * interval '1 second'
FROM jsonb_to_recordset(%s::jsonb) AS n (owner_id uuid, session_id text, agent_id text,
    state jsonb, at timestamptz, ttl bigint)
ORDER BY n.owner_id, n.session_id, n.agent_id
ON CONFLICT (owner_id, session_id, agent_id) DO UPDATE
SET state = excluded.state, updated_at = excluded.updated_at, expires_at = excluded.expires_at
RETURNING {_COLUMNS}"""


def _seen(
    _: str, agent_id: str, state: str, updated_at: datetime, expires_at: datetime | None
) -> StateSeen:
    return StateSeen(agent_id, raw(state), updated_at, expires_at)
