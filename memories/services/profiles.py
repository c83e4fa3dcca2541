"""User profiles: what an assistant knows of a user for good."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec

from memories import ids
from memories.changes import rows
from memories.errors import MemoriesError, ValidationFailed
from memories.services.results import raw

# Merges add up, and each answer holds the whole profile.
MAX_PROFILE_BYTES = 256 << 10


@dataclass(frozen=True, slots=True)
class ProfileChange:
    """Both are JSON texts of objects: their keys replace the profile's, a null removes one."""

    user_id: str
    at: datetime
    preferences_json: bytes = b"{}"
    profile_data_json: bytes = b"{}"


class ProfileSeen(msgspec.Struct, frozen=True):
    """Of a user without a profile both objects are empty and both times None."""

    user_id: str
    preferences: msgspec.Raw = msgspec.Raw(b"{}")
    profile_data: msgspec.Raw = msgspec.Raw(b"{}")
    created_at: datetime | None = None
    updated_at: datetime | None = None


def get_profiles(user_ids: Sequence[str]) -> list[ProfileSeen]:
    found = {
        row[0]: _seen(*row)
        for row in rows(
            f"""
            SELECT {_COLUMNS} FROM user_profiles p
            WHERE p.owner_id = ANY(%s) AND p.user_id = ANY(%s)""",
            [[ids.owner_of_user(user_id) for user_id in user_ids], list(user_ids)],
        )
    }
    return [found.get(user_id) or ProfileSeen(user_id) for user_id in user_ids]


def update_profiles(changes: Sequence[ProfileChange]) -> list[ProfileSeen | MemoriesError]:
    """Merge each change into its user's profile, which is made where there is none; no user may
    occur twice. Several statements, to be called in a transaction."""
    batch = msgspec.json.encode([_row(change) for change in changes]).decode()
    made = {user_id for (user_id,) in rows(_MAKE, [batch])}
    merged = {row[0]: _seen(*row) for row in rows(_MERGE, [batch])}
    if unused := made - merged.keys():
        rows(_UNMAKE, [[ids.owner_of_user(user_id) for user_id in unused], list(unused)])
    return [merged.get(change.user_id) or _too_large() for change in changes]


_COLUMNS = "p.user_id, p.preferences::text, p.profile_data::text, p.created_at, p.updated_at"

_NAMED = """jsonb_to_recordset(%s::jsonb) AS n (owner_id uuid, user_id text, preferences jsonb,
    profile_data jsonb, at timestamptz)"""

_MAKE = f"""
INSERT INTO user_profiles (user_id, owner_id, preferences, profile_data, created_at, updated_at)
SELECT n.user_id, n.owner_id, '{{}}', '{{}}', n.at, n.at FROM {_NAMED} ORDER BY n.user_id
ON CONFLICT (user_id) DO NOTHING
RETURNING user_id"""

_UNMAKE = "DELETE FROM user_profiles WHERE owner_id = ANY(%s) AND user_id = ANY(%s)"


def _merged(column: str) -> str:
    """Top-level keys alone: jsonb_strip_nulls would reach into what is kept below them."""
    return f"""((p.{column} || n.{column}) - ARRAY(
        SELECT e.key FROM jsonb_each(n.{column}) e WHERE e.value = 'null'))"""


# The rows are locked in one order, since two batches that meet in another would deadlock; each
# merge is into what the row holds once it is locked.
_MERGE = f"""
WITH n AS MATERIALIZED (SELECT * FROM {_NAMED}),
locked AS MATERIALIZED (
    SELECT p.user_id FROM user_profiles p JOIN n USING (owner_id, user_id)
    ORDER BY p.user_id FOR UPDATE OF p)
UPDATE user_profiles p SET preferences = {_merged("preferences")},
    profile_data = {_merged("profile_data")}, updated_at = n.at
FROM n JOIN locked USING (user_id)
WHERE p.owner_id = n.owner_id AND p.user_id = n.user_id
  AND octet_length({_merged("preferences")}::text) + octet_length({_merged("profile_data")}::text)
    <= {MAX_PROFILE_BYTES}
RETURNING {_COLUMNS}"""


def _row(change: ProfileChange) -> dict[str, object]:
    return {
        "owner_id": ids.owner_of_user(change.user_id),
        "user_id": change.user_id,
        "preferences": msgspec.Raw(change.preferences_json),
        "profile_data": msgspec.Raw(change.profile_data_json),
        "at": change.at,
    }


def _seen(
    user_id: str, preferences: str, profile_data: str, created_at: datetime, updated_at: datetime
) -> ProfileSeen:
    return ProfileSeen(user_id, raw(preferences), raw(profile_data), created_at, updated_at)


def _too_large() -> MemoriesError:
    return ValidationFailed(
        "payload", f"The profile would have more than {MAX_PROFILE_BYTES} bytes; remove keys first."
    )
