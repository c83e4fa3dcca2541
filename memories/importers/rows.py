"""What the readers of the old stores hand on: one shape for sessions, memories, ties and profiles.

`table` and `row` say where a thing stood, for the report. An `own` of 16 bytes tells a row from
every other of its store, on every run and in every copy of the file.
"""

from datetime import datetime
from hashlib import blake2b
from typing import NamedTuple

import msgspec

OWN_BYTES = 16


class SessionName(NamedTuple):
    """`wanted`: the old id, where it can be kept. Without both it is the session that the file's
    rows without a session share, one for each user."""

    user_id: str
    wanted: str = ""
    own: bytes = b""


class MemoryName(NamedTuple):
    """`wanted`: the old id, where it can be kept."""

    session: SessionName
    own: bytes
    wanted: str = ""


class OldSession(msgspec.Struct, frozen=True):
    """A time that could not be read is None."""

    table: str
    row: str
    name: SessionName
    metadata_json: bytes
    created_at: datetime | None
    updated_at: datetime | None = None
    ended_at: datetime | None = None
    session_type: str = "conversation"
    summary: str = ""


class OldMemory(msgspec.Struct, frozen=True):
    """`is_time_known`: False where the file did not tell `created_at`."""

    table: str
    row: str
    name: MemoryName
    memory_type: str
    content_json: bytes
    created_at: datetime | None
    tags: list[str]
    priority: int = 5
    expires_at: datetime | None = None
    is_time_known: bool = True


class OldTie(msgspec.Struct, frozen=True):
    """An end that does not exist is None."""

    table: str
    row: str
    source: MemoryName | None
    target: MemoryName | None
    relationship_type: str
    created_at: datetime | None
    strength: float = 1.0
    metadata_json: bytes = b"{}"


class OldProfile(msgspec.Struct, frozen=True):
    table: str
    row: str
    user_id: str
    preferences: dict[str, msgspec.Raw]
    profile_data: dict[str, msgspec.Raw]


def own_of(*parts: object) -> bytes:
    """What is the same for the same parts."""
    told = repr(parts).encode("utf-8", "surrogateescape")
    return blake2b(told, digest_size=OWN_BYTES).digest()
