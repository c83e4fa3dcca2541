"""The trash: what was deleted, and how it comes back."""

from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.urls import reverse
from django.utils import timezone

from memories.admin import trash
from memories.ids import new_operation_id, owner_in
from memories.models import MemoryEntry, Revision
from memories.services.filters import Filter, Scope
from memories.services.forget import forget_matching
from tests.factories import store

from .rows import delete
from .test_actions import act
from .test_memory_page import HOSTILE

pytestmark = pytest.mark.django_db

TRASH = reverse("memories:trash")


def delete_session(session_id, owner_id):
    operation_id = new_operation_id(owner_id)
    filter_ = Filter(Scope.SESSION, session_id, owner_id)
    forget_matching(filter_, timezone.now(), "agent", operation_id)
    return operation_id


def shown(client, **parameters):
    return client.get(TRASH, parameters).context["deletions"]


def restore(client, **fields):
    return client.post(reverse("memories:restore"), fields | {"next": TRASH}, follow=True)


def test_a_bulk_delete_is_one_entry_and_is_undone_whole(enter):
    alone = store("alone", "kitchen")
    delete(alone)
    said = [store(f"turn {number}", "hall") for number in range(5)]
    operation_id = delete_session("hall", owner_in(said[0]))
    client = enter("operator")
    bulk, single = shown(client)
    assert (bulk.operation_id, bulk.count, bulk.changed_by) == (operation_id, 5, "agent")
    assert (single.operation_id, single.memory_ids) == ("", [alone])
    assert "5 memories are alive again" in restore(client, operation_id=operation_id).text
    assert {memory.pk for memory in MemoryEntry.objects.all()} == set(said)
    assert Revision.objects.filter(action="restore", changed_by="one-operator").count() == 5
    [entry] = LogEntry.objects.all()
    assert (entry.object_id, entry.change_message) == (operation_id, "Undid a bulk delete of 5")
    assert [deletion.memory_ids for deletion in shown(client)] == [[alone]]


@pytest.mark.parametrize("sessions", [["hall", "hall"], ["hall", "kitchen"]])
def test_what_was_deleted_together_in_the_list_comes_back_together(admin_client, sessions):
    stored = [store(f"turn {place}", name) for place, name in enumerate(sessions)]
    act(admin_client, "memoryentry", "delete_softly", stored)
    [deletion] = shown(admin_client)
    assert deletion.count == 2 and deletion.operation_id
    assert (
        "2 memories are alive again"
        in restore(admin_client, operation_id=deletion.operation_id).text
    )
    assert {memory.pk for memory in MemoryEntry.objects.all()} == set(stored)


@pytest.mark.parametrize("unknown", ["op-unknown", "x" * 500, "\u202e"])
def test_an_unknown_operation_is_refused_and_not_logged(admin_client, unknown):
    assert "nothing left to undo" in restore(admin_client, operation_id=unknown).text
    assert not LogEntry.objects.exists()


def test_one_memory_is_restored(admin_client):
    memory_id = store()
    delete(memory_id)
    assert "1 memory is alive again" in restore(admin_client, memory_id=memory_id).text
    assert MemoryEntry.objects.filter(pk=memory_id).exists()
    assert "None of them is there" in restore(admin_client, memory_id="nothing\0").text


def test_it_is_read_page_by_page(admin_client, monkeypatch):
    monkeypatch.setattr(trash, "MOMENTS", 2)
    stored = [store() for _ in range(5)]
    now = timezone.now()
    for age, memory_id in enumerate(stored):
        delete(memory_id)
        at = now - timedelta(days=age)
        MemoryEntry.all_objects.filter(pk=memory_id).update(deleted_at=at)
    seen, before = [], ""
    while True:
        response = admin_client.get(TRASH, {"before": before})
        seen += [deletion.memory_ids[0] for deletion in response.context["deletions"]]
        if not (before := response.context["older"]):
            break
    assert seen == stored


@pytest.mark.parametrize("before", ["nothing", "2026-13-40T00:00:00Z", "2026-01-01T00:00:00"])
def test_a_made_up_moment_shows_the_newest(admin_client, before):
    delete(store())
    assert len(shown(admin_client, before=before)) == 1


def test_a_viewer_is_offered_nothing_and_refused(enter):
    memory_id = store(HOSTILE)
    delete(memory_id)
    client = enter("viewer")
    page = client.get(TRASH).text
    assert 'name="memory_id"' not in page and "<script>alert" not in page
    assert restore(client, memory_id=memory_id).status_code == 403
    assert not MemoryEntry.objects.filter(pk=memory_id).exists()
