"""Profiles of an old store, as they are kept here. What a profile knows already stays."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from memories.errors import MemoriesError
from memories.importers.rows import OldProfile, own_of
from memories.importers.seen import MISSING, Seen
from memories.services.profiles import ProfileChange, ProfileSeen, get_profiles, update_profiles

Fields = Mapping[str, msgspec.Raw]


def compare_profiles(batch: Sequence[OldProfile]) -> list[Seen]:
    """A profile is the same where it knows every key that the file has; the values may be newer."""
    return [
        _seen(profile, here)
        for profile, here in zip(batch, get_profiles([p.user_id for p in batch]), strict=True)
    ]


def keep_profiles(batch: Sequence[OldProfile], at: datetime) -> list[str]:
    """Add what the profiles do not know; why not, for each, or ""."""
    changes = [
        ProfileChange(
            profile.user_id,
            at,
            msgspec.json.encode(_new_in(profile.preferences, here.preferences)),
            msgspec.json.encode(_new_in(profile.profile_data, here.profile_data)),
        )
        for profile, here in zip(batch, get_profiles([p.user_id for p in batch]), strict=True)
    ]
    return [
        one.message if isinstance(one, MemoriesError) else "" for one in update_profiles(changes)
    ]


def keys_that_differ(batch: Sequence[OldProfile]) -> list[list[str]]:
    """Of each, what the file and the profile here know, but not alike."""
    return [
        [
            *_differing(profile.preferences, here.preferences),
            *_differing(profile.profile_data, here.profile_data),
        ]
        for profile, here in zip(batch, get_profiles([p.user_id for p in batch]), strict=True)
    ]


def _differing(fields: Fields, here: msgspec.Raw) -> list[str]:
    known = msgspec.json.decode(here, type=dict[str, msgspec.Raw])
    both = ((key, fields[key], known[key]) for key in fields.keys() & known.keys())
    return sorted(
        key
        for key, mine, theirs in both
        if bytes(mine) != b"null" and msgspec.json.decode(mine) != msgspec.json.decode(theirs)
    )


def _seen(profile: OldProfile, here: ProfileSeen) -> Seen:
    if here.created_at is None:
        return MISSING
    new = [
        *_new_in(profile.preferences, here.preferences),
        *_new_in(profile.profile_data, here.profile_data),
    ]
    in_file = int.from_bytes(own_of(profile.user_id)[:8])
    return Seen(True, False, in_file, 0 if new else in_file)


def _new_in(fields: Fields, here: msgspec.Raw) -> dict[str, msgspec.Raw]:
    known = msgspec.json.decode(here, type=dict[str, msgspec.Raw])
    # A null would remove a key, and says nothing.
    return {k: v for k, v in fields.items() if k not in known and bytes(v) != b"null"}
