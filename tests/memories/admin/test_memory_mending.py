"""The page of a memory: its history as differences and the way back, and what is around it."""

import json
from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.utils import timezone

from memories.errors import MemoriesError
from memories.ids import owner_in
from memories.models import EmbeddingModel, MemoryEntry, Relationship, Revision
from memories.services.embedding.vector_index import drop_index, index_vectors
from memories.services.revise import Revision as Change
from memories.services.revise import revise_memories
from memories.services.search import nearest
from memories.services.search.nearest import nearest_to
from tests.embedders import embed_all
from tests.factories import store

from .conftest import button_url, page_url
from .rows import delete
from .test_memory_page import HOSTILE, content_of, form_of, save

pytestmark = pytest.mark.django_db


def press(client, memory_id, button, **fields):
    """Press a button of the page; returns the text of the page that follows."""
    return client.post(button_url(memory_id, button), fields, follow=True).text


def _large(number):
    return json.dumps({"text": f"{number} " + "y" * 900_000}).encode()


class TestHistory:
    @pytest.fixture
    def edited(self, admin_client):
        """A memory that was changed twice, and when it was changed last."""
        memory_id = store("The kettle is in the hall.", tags=["kitchen"], priority=3)
        for text, priority in (("The kettle is in the attic.", "9"), ("It is broken.", "9")):
            fields = form_of(admin_client, memory_id)
            content = json.dumps({"text": text})[:-1] + ', "exact": 0.1000}'
            save(admin_client, memory_id, fields, content_json=content, priority=priority)
        return memory_id, MemoryEntry.objects.get(pk=memory_id).updated_at.isoformat()

    def test_a_change_is_shown_as_its_difference(self, admin_client, edited):
        page = admin_client.get(page_url("memoryentry", edited[0])).text
        assert "The kettle is in the <del>hall</del><ins>attic</ins>." in page
        assert "priority: <del>3</del> → <ins>9</ins>" in page

    def test_a_version_is_restored_to_the_last_digit(self, admin_client, edited):
        memory_id, read_at = edited
        assert "in version 2" in press(admin_client, memory_id, "version/2", read_at=read_at)
        kept = '{"text": "The kettle is in the attic.", "exact": 0.1000}'
        assert content_of(memory_id) == kept
        revision = Revision.objects.latest("pk")
        assert (revision.version, revision.action, revision.changed_by) == (3, "update", "admin")
        assert LogEntry.objects.latest("pk").change_message == "Restored version 2"

    def test_a_version_is_not_restored_over_a_newer_change(self, admin_client, edited):
        memory_id, read_at = edited
        press(admin_client, memory_id, "version/1", read_at=read_at)
        told = press(admin_client, memory_id, "version/2", read_at=read_at)
        assert "has changed since" in told
        assert MemoryEntry.objects.get(pk=memory_id).text == "The kettle is in the hall."

    def test_a_version_is_restored_from_its_own_page(self, enter, edited):
        memory_id, read_at = edited
        first = Revision.objects.get(memory_id=memory_id, version=1)
        assert "Restore version 1" not in enter("viewer").get(page_url("revision", first.pk)).text
        page = enter("operator").get(page_url("revision", first.pk)).text
        assert button_url(memory_id, "version/1") in page and read_at in page
        delete(memory_id)
        assert "Restore version" not in enter("operator").get(page_url("revision", first.pk)).text

    def test_a_large_version_is_restored(self, admin_client):
        memory_id = store("x" * 900_000)
        for number in range(20):  # together more than a reply of `history` holds
            change = Change(memory_id, timezone.now(), content_json=_large(number))
            assert not isinstance(revise_memories([change])[0], MemoriesError)
        read_at = MemoryEntry.objects.get(pk=memory_id).updated_at.isoformat()
        assert "in version 1." in press(admin_client, memory_id, "version/1", read_at=read_at)
        assert MemoryEntry.objects.get(pk=memory_id).text == "x" * 900_000

    def test_a_made_up_request_changes_nothing(self, admin_client, edited):
        memory_id, read_at = edited
        for made_up in ("", "nonsense", "2026-01-01T00:00:00"):
            told = press(admin_client, memory_id, "version/1", read_at=made_up)
            assert "Open the page anew" in told
        for version in (77, 2**31, 10**30):
            told = press(admin_client, memory_id, f"version/{version}", read_at=read_at)
            assert "no such version" in told
        assert Revision.objects.count() == 2


def test_delete_and_restore_by_the_page_s_buttons(admin_client):
    memory_id = store()
    assert "can be restored" in press(admin_client, memory_id, "fate", do="delete")
    assert not MemoryEntry.objects.filter(pk=memory_id).exists()
    assert "No live memory" in press(admin_client, memory_id, "fate", do="delete")
    assert "alive again" in press(admin_client, memory_id, "fate", do="restore")
    assert MemoryEntry.objects.filter(pk=memory_id).exists()
    assert [revision.changed_by for revision in Revision.objects.all()] == ["admin", "admin"]


def test_a_link_changes_nothing(admin_client):
    memory_id = store()
    assert admin_client.get(button_url(memory_id, "fate"), {"do": "delete"}).status_code == 403
    assert MemoryEntry.objects.filter(pk=memory_id).exists()


def test_it_tells_when_it_expires(admin_client):
    memory_id = store()
    at = timezone.now() + timedelta(days=3, minutes=5)
    MemoryEntry.objects.filter(pk=memory_id).update(expires_at=at)
    assert "(in 3\xa0days" in admin_client.get(page_url("memoryentry", memory_id)).text


def test_the_nearest_memories_are_the_owner_s_alone(admin_client, trial):
    texts = ("the kettle boils", "the kettle boils over", "kettle boils the")
    kettle, near, gone = (store(text) for text in texts)
    store("the kettle boils", session_id="of another owner")
    embed_all()
    delete(gone)
    assert [an_id for an_id, _ in nearest_to(owner_in(kettle), kettle, 5)] == [near]
    assert "the kettle boils over" in admin_client.get(page_url("memoryentry", kettle)).text


@pytest.mark.django_db(transaction=True)
def test_an_owner_of_many_is_asked_of_the_index(admin_client, trial, monkeypatch):
    monkeypatch.setattr(nearest, "EXACT_UP_TO", 1)
    kettle, near, _ = store("the kettle boils"), store("the kettle boils over"), store("a cat")
    embed_all()
    assert "before an index is built" in admin_client.get(page_url("memoryentry", kettle)).text
    model = EmbeddingModel.objects.get()
    index_vectors(model)
    try:
        found = nearest_to(owner_in(kettle), kettle, 1)
        assert [an_id for an_id, _ in found] == [near]
    finally:
        drop_index(model.pk)


def test_relationships_are_drawn_also_where_they_lead_to_nothing(admin_client):
    centre, cause, gone = store("the centre"), store("a cause"), store("what is gone")

    def tie(source, target, kind):
        Relationship.objects.create(
            owner_id=owner_in(centre),
            created_at=timezone.now(),
            source_id=source,
            target_id=target,
            relationship_type=kind,
        )

    tie(cause, centre, "causes")
    tie(centre, gone, HOSTILE[:64])
    tie(centre, centre, "self")
    delete(gone)
    page = admin_client.get(page_url("memoryentry", centre))
    boxes = page.context["panels"].picture.boxes
    assert [(box.lines[0], box.is_gone) for box in boxes] == [
        ("the centre", False),
        ("a cause", False),
        ("what is gone", True),
    ]
    assert "<script>alert" not in page.text
    for number in range(20):
        tie(centre, store(f"one of many {number}"), "knows")
    page = admin_client.get(page_url("memoryentry", centre))
    assert page.context["panels"].picture.hidden_count == 9
