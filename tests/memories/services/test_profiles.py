from datetime import UTC, datetime

import msgspec
import pytest

from memories.errors import ValidationFailed
from memories.ids import owner_of_user
from memories.models import UserProfile
from memories.services.profiles import (
    MAX_PROFILE_BYTES,
    ProfileChange,
    ProfileSeen,
    get_profiles,
    update_profiles,
)
from tests.factories import run_together

pytestmark = pytest.mark.django_db

DAY = datetime(2026, 1, 31, tzinfo=UTC)
LATER = datetime(2026, 2, 28, tzinfo=UTC)


def update(user_id="ann", preferences=b"{}", profile_data=b"{}", at=DAY):
    [result] = update_profiles([ProfileChange(user_id, at, preferences, profile_data)])
    return result


def preferences_of(user_id):
    [profile] = get_profiles([user_id])
    return msgspec.json.decode(profile.preferences)


def test_a_user_without_a_profile_has_an_empty_one():
    assert get_profiles(["ann"]) == [ProfileSeen("ann")]
    assert not UserProfile.objects.exists()


def test_is_made_by_its_first_update_and_belongs_to_the_user():
    made = update(preferences=b'{"voice": "calm"}', profile_data=b'{"age": 41}')
    assert (made.created_at, made.updated_at) == (DAY, DAY)
    assert get_profiles(["ann"]) == [made]
    assert UserProfile.objects.get().owner_id == owner_of_user("ann")


def test_keys_are_merged_and_null_removes_one():
    update(preferences=b'{"voice": "calm", "volume": 3}', profile_data=b'{"age": 41}')
    merged = update(preferences=b'{"volume": null, "light": "dim"}', at=LATER)
    assert preferences_of("ann") == {"voice": "calm", "light": "dim"}
    assert bytes(merged.profile_data) == b'{"age": 41}'
    assert (merged.created_at, merged.updated_at) == (DAY, LATER)


def test_what_stands_below_a_key_is_replaced_whole_with_its_nulls():
    update(preferences=b'{"alarm": {"at": "06:30", "tone": null}}')
    assert preferences_of("ann") == {"alarm": {"at": "06:30", "tone": None}}
    update(preferences=b'{"alarm": {"days": [null]}}')
    assert preferences_of("ann") == {"alarm": {"days": [None]}}


def test_a_null_of_the_first_update_is_not_kept():
    update(preferences=b'{"voice": null}')
    assert preferences_of("ann") == {}


def test_every_digit_is_kept():
    profile = update(profile_data=b'{"a": 12345678901234567890123, "b": 1.10, "c": 0.1e-7}')
    assert bytes(profile.profile_data) == (
        b'{"a": 12345678901234567890123, "b": 1.10, "c": 0.00000001}'
    )


def test_users_are_told_apart_and_answered_in_their_order():
    update("ann", b'{"a": 1}')
    results = update_profiles(
        [ProfileChange(user, DAY, b'{"b": 2}') for user in ("bob", "ann", "an")]
    )
    assert [one.user_id for one in results] == ["bob", "ann", "an"]
    assert [one.user_id for one in get_profiles(["an", "cid", "ann"])] == ["an", "cid", "ann"]
    assert preferences_of("ann") == {"a": 1, "b": 2}
    assert preferences_of("an") == {"b": 2}


def test_it_does_not_grow_for_ever():
    half = b'{"%d": "' + b"x" * (MAX_PROFILE_BYTES // 2) + b'"}'
    update(preferences=half % 1)
    error = update(profile_data=half % 2)
    assert isinstance(error, ValidationFailed)
    assert preferences_of("ann").keys() == {"1"}
    smaller = update(preferences=b'{"1": null}', profile_data=half % 2)
    assert bytes(smaller.preferences) == b"{}"


def test_a_first_update_that_is_refused_makes_no_profile():
    error = update(preferences=b'{"1": "' + b"x" * MAX_PROFILE_BYTES + b'"}')
    assert isinstance(error, ValidationFailed)
    assert get_profiles(["ann"]) == [ProfileSeen("ann")]
    assert not UserProfile.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_updates_at_the_same_time_all_count():
    names = [f"key-{number}" for number in range(6)]
    changes = [f'{{"{name}": true}}'.encode() for name in names]
    run_together([lambda change=change: update(preferences=change) for change in changes])
    assert preferences_of("ann").keys() == set(names)
