"""The purge removes what is over, with all that belongs to it, and nothing that can come back."""

from collections import Counter
from datetime import timedelta

import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.utils import timezone

from memories.models import AccessLog, Embedding, MemoryEntry, Relationship, RequestKey, Revision
from memories.services import purge
from memories.services.access import Access, log_accesses
from memories.services.ages import Ages
from memories.services.clearing import Clearing
from memories.services.forget import Deletion, expire_memories, forget_memories
from memories.services.purge import Purge
from memories.services.relate import NewTie, Tie, relate_memories
from memories.services.requests import KeyedRequest, keep_answers
from memories.services.restore import restore_memories
from memories.services.revise import Revision as Change
from memories.services.revise import revise_memories
from tests.embedders import embed_all
from tests.factories import other_connection, run_together, set_expiry, store, wait_until

NOW = timezone.now()
AGES = Ages(deleted_days=30, request_key_days=7)


def days_ago(days):
    return NOW - timedelta(days=days)


def delete(memory_id, days):
    forget_memories([Deletion(memory_id, days_ago(days))])


def purge_all(ages=AGES, now=NOW):
    done = Purge(ages, now)
    expected = done.count()
    while done.step():
        pass
    assert done.gone == expected  # a dry run tells what then happens
    return done.gone


def stored():
    return set(MemoryEntry.all_objects.values_list("id", flat=True))


@pytest.mark.django_db
def test_a_memory_goes_after_the_grace_period_with_all_that_is_its(trial):
    over, recent, alive = store("over"), store("recent"), store("alive")
    embed_all()
    revise_memories([Change(over, days_ago(60), priority=1)])
    for pair in ((over, alive), (recent, over), (alive, recent)):
        relate_memories([NewTie(Tie(*pair, "knows"), NOW)])
    log_accesses({Access(each, "", "read", NOW.date()): 1 for each in (over, alive)}, NOW)
    admin = User.objects.create(username="admin")
    kind = ContentType.objects.get_for_model(MemoryEntry).pk
    for each in (over, alive):
        LogEntry.objects.create(
            user=admin, content_type_id=kind, object_id=each, object_repr="text", action_flag=CHANGE
        )
    delete(over, 31)
    delete(recent, 29)
    gone = purge_all()
    assert gone["memory_entries"] == 1
    assert stored() == {recent, alive}
    assert set(Revision.objects.values_list("memory_id", flat=True)) == {recent}
    assert [each.source_id for each in Relationship.objects.all()] == [alive]
    assert set(AccessLog.objects.values_list("memory_id", flat=True)) == {alive}
    assert set(LogEntry.objects.values_list("object_id", flat=True)) == {alive}
    assert set(Embedding.objects.values_list("memory_id", flat=True)) == {alive}
    restore_memories([recent], NOW)
    assert set(MemoryEntry.objects.values_list("id", flat=True)) == {recent, alive}


@pytest.mark.django_db
def test_what_expired_long_ago_has_its_grace_period_from_when_it_was_found():
    """A store that is imported long after its memories expired loses nothing in a minute."""
    expired = store()
    set_expiry(expired, days_ago(400))
    clearing = Clearing(AGES, [], NOW)
    for _ in clearing.steps():
        pass
    assert stored() == {expired}
    expire_memories()
    purge_all(now=timezone.now() + timedelta(days=31))
    assert stored() == set()


@pytest.mark.django_db
def test_each_kind_goes_by_its_own_age():
    changed = store()
    for days in (400, 40, 5):
        revise_memories([Change(changed, days_ago(days), priority=1)])
    for day, request in ((8, b"a" * 16), (6, b"b" * 16)):
        keep_answers({KeyedRequest(request, "s"): {}}, days_ago(day))
    for days in (400, 10):
        at = days_ago(days)
        log_accesses({Access(changed, "", "read", at.date()): 1}, at)
    over = store()
    revise_memories([Change(over, days_ago(400), priority=1)])
    log_accesses({Access(over, "", "read", days_ago(400).date()): 1}, days_ago(400))
    delete(over, 31)
    all_ages = Ages(30, 7, access_log_days=900, revision_days=900)
    assert purge_all(all_ages) == Counter(
        request_keys=1, memory_entries=1, revisions=2, access_log=1
    )
    assert purge_all(Ages(30, 7, access_log_days=365)) == Counter(access_log=1)
    assert purge_all(Ages(30, 7, revision_days=100)) == Counter(revisions=1)
    # the grace period counts where it is longer: a deletion is undone by its revisions
    assert purge_all(Ages(30, 7, revision_days=1)) == Counter(revisions=1)
    assert (RequestKey.objects.count(), Revision.objects.count()) == (1, 1)


@pytest.mark.django_db
def test_it_goes_in_batches(monkeypatch):
    monkeypatch.setattr(purge, "BATCH", 2)
    for _ in range(5):
        delete(store(), 31)
    done = Purge(AGES, NOW)
    assert [done.step() for _ in range(3)] == [True, True, False]
    assert stored() == set()


@pytest.mark.django_db(transaction=True)
def test_what_somebody_restores_meanwhile_is_left_alone():
    wanted, over = store(), store()
    delete(wanted, 31)
    delete(over, 31)
    with other_connection() as other, other.transaction():
        other.execute("SELECT FROM memory_entries WHERE id = %s FOR UPDATE", [wanted])
        done = Purge(AGES, NOW)
        while done.step():
            pass
        assert stored() == {wanted}
    restore_memories([wanted], NOW)
    assert purge_all() == Counter()
    assert stored() == {wanted}


@pytest.mark.django_db(transaction=True)
def test_one_round_is_made_at_a_time():
    def held():
        first = Clearing(AGES, [], NOW)
        steps = first.steps()
        next(steps)
        second = Clearing(AGES, [], NOW)
        assert run_together([lambda: list(second.steps())]) == [[]]
        assert second.is_refused
        for _ in steps:
            pass
        return first.is_refused

    assert held() is False
    assert wait_until(lambda: list(Clearing(AGES, [], NOW).steps()))


@pytest.mark.django_db
def test_a_row_by_which_a_repeated_create_is_known_stays_as_long_as_requests_are():
    an_id = store()
    delete(an_id, 5)
    purge_all(Ages(deleted_days=1, request_key_days=7))
    assert stored() == {an_id}
    purge_all(Ages(deleted_days=1, request_key_days=4))
    assert stored() == set()
