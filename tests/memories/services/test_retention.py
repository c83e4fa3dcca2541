"""Policies delete what they fit and nothing else, once, and so that it can be undone."""

from datetime import timedelta

import pytest
from django.utils import timezone

from memories.errors import ValidationFailed
from memories.models import MemoryEntry, RetentionPolicy, Revision
from memories.services import retention
from memories.services.restore import restore_memories, restore_operation
from memories.services.retention import (
    NewPolicy,
    Pass,
    add_policy,
    count_fitting,
    due_policies,
    list_policies,
    remove_policy,
)
from memories.services.revise import Revision as Change
from memories.services.revise import revise_memories
from tests.factories import store

pytestmark = pytest.mark.django_db

NOW = timezone.now()


def days_ago(days):
    return NOW - timedelta(days=days)


def policy(**values):
    add_policy(NewPolicy(**({"name": "old", "older_than_days": 30} | values)))
    return list_policies()[-1]


def apply(one):
    done = Pass(one, NOW)
    while done.step():
        pass
    return done


def alive():
    return set(MemoryEntry.objects.values_list("id", flat=True))


@pytest.mark.parametrize(
    "asked",
    [
        {"memory_types": ["interaction"]},
        {"tags": ["debug", "trace"]},
        {"max_priority": 3},
        {"memory_types": ["interaction"], "tags": ["debug"], "max_priority": 2},
    ],
)
def test_what_fits_all_conditions_goes_and_nothing_else(asked):
    old = {"created_at": days_ago(31)}
    fitting = store(memory_type="interaction", tags=["debug", "x"], priority=2, **old)
    kept = {
        store(memory_type="interaction", tags=["debug"], priority=2, created_at=days_ago(29)),
        store(tags=["debugging"], priority=4, **old),
        store(**old),
    }
    one = policy(**asked)
    assert count_fitting(one, NOW) == 1
    done = apply(one)
    assert (done.deleted, alive()) == (1, kept)
    [revision] = Revision.objects.all()
    assert (revision.memory_id, revision.changed_by) == (fitting, "retention")


def test_a_pass_goes_through_slices_and_is_undone_as_one(monkeypatch):
    monkeypatch.setattr(retention, "SLICE", 3)
    monkeypatch.setattr(retention, "_SLICE", retention._SLICE.replace("LIMIT 1000", "LIMIT 3"))
    same_time = [store(tags=["x"], created_at=days_ago(40)) for _ in range(5)]
    old = {store(tags=["x"], created_at=days_ago(40 + number)) for number in range(5)}
    old |= set(same_time)
    kept = {store(created_at=days_ago(35 + number)) for number in range(5)}
    done = apply(policy(tags=["x"]))
    assert (done.deleted, alive()) == (10, kept)
    [shown] = list_policies()
    assert (shown.passed_count, shown.passed_operation_id) == (10, done.operation_id)
    assert set(restore_operation(done.operation_id, NOW)) == old
    assert apply(shown).deleted == 0  # what somebody wanted back is as good as new


def test_age_counts_from_the_last_change():
    changed, restored, untouched = (store(created_at=days_ago(90)) for _ in range(3))
    revise_memories([Change(changed, days_ago(10), priority=1)])
    MemoryEntry.all_objects.filter(id=restored).delete()
    restore_memories([restored], days_ago(10))
    apply(policy())
    assert alive() == {changed, restored}
    assert MemoryEntry.all_objects.get(id=untouched).deleted_at == NOW


def test_a_policy_is_due_once_a_day_and_when_it_is_new():
    one = policy()
    assert due_policies(NOW) == [one]
    apply(one)
    assert due_policies(NOW) == []
    assert due_policies(NOW + timedelta(hours=25)) == [one]
    RetentionPolicy.objects.update(is_active=False)
    assert due_policies(NOW + timedelta(hours=25)) == []
    assert remove_policy("old") and not remove_policy("old")


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": ""},
        {"name": "two\nlines"},
        {"older_than_days": 0},
        {"older_than_days": float("nan")},
        {"older_than_days": float("inf")},
        {"memory_types": ["x" * 33]},
        {"tags": [""]},
        {"max_priority": 11},
    ],
)
def test_what_cannot_be_right_is_refused(wrong):
    with pytest.raises(ValidationFailed):
        policy(**wrong)


def test_a_name_is_taken_once():
    policy()
    with pytest.raises(ValidationFailed, match="already"):
        policy(older_than_days=5)
    assert [each.older_than_days for each in list_policies()] == [30]
