"""Actions: what a person does to many rows at once, through the services."""

import pytest
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME

from memories.admin import inspection
from memories.models import MemoryEntry, Orchestrator, Revision, Session
from tests.factories import store

from .conftest import list_url, page_url
from .rows import delete, expire, fill_tables, open_session

pytestmark = pytest.mark.django_db


def act(client, model, action, chosen, **parameters):
    """Carry out an action; returns the page that follows it."""
    fields = {"action": action, ACTION_CHECKBOX_NAME: chosen, "index": "0"}
    return client.post(list_url(model, **parameters), fields, follow=True).text


def offered(client, model, **parameters):
    form = client.get(list_url(model, **parameters)).context["action_form"]
    return {name for name, _ in form.fields["action"].choices if name}


def test_delete_is_soft_and_tells_who(admin_client):
    chosen, kept = store(), store()
    assert "1 memory is deleted" in act(admin_client, "memoryentry", "delete_softly", [chosen])
    assert [memory.pk for memory in MemoryEntry.objects.all()] == [kept]
    assert MemoryEntry.all_objects.get(pk=chosen).deleted_at
    [revision] = Revision.objects.all()
    assert (revision.memory_id, revision.action, revision.changed_by) == (chosen, "delete", "admin")


@pytest.mark.parametrize(("end", "state"), [(delete, "deleted"), (expire, "expired")])
def test_restore_brings_back_and_tells_who(admin_client, end, state):
    memory_id = store()
    end(memory_id)
    answer = act(admin_client, "memoryentry", "restore", [memory_id], state=state)
    assert "1 memory is alive again" in answer
    assert MemoryEntry.objects.filter(pk=memory_id).exists()
    revision = Revision.objects.latest("pk")
    assert (revision.action, revision.changed_by) == ("restore", "admin")


def test_each_state_offers_what_helps_there(admin_client):
    store()
    assert offered(admin_client, "memoryentry") == {"delete_softly"}
    assert offered(admin_client, "memoryentry", state="deleted") == {"restore"}
    assert offered(admin_client, "memoryentry", state="all") == {"delete_softly", "restore"}


def test_django_s_own_delete_is_nowhere(admin_client):
    memory_id = store()
    act(admin_client, "memoryentry", "delete_selected", [memory_id])
    assert MemoryEntry.objects.filter(pk=memory_id).exists()


def test_an_action_on_too_many_does_nothing(admin_client, monkeypatch):
    monkeypatch.setattr("memories.admin.memory_actions.ACTION_LIMIT", 1)
    monkeypatch.setattr(inspection, "ACTION_LIMIT", 1)
    chosen = [store(), store()]
    assert "nothing was done" in act(admin_client, "memoryentry", "delete_softly", chosen)
    assert MemoryEntry.objects.count() == 2


def test_sessions_are_ended_and_archived(admin_client):
    for name in ("one", "two", "three"):
        open_session(name, "ann")
    act(admin_client, "session", "end", ["one"])
    act(admin_client, "session", "archive", ["two"])
    states = {s.pk: (bool(s.ended_at), s.is_archived) for s in Session.objects.all()}
    assert states == {"one": (True, False), "two": (True, True), "three": (False, False)}
    listed = admin_client.get(list_url("session", archived="yes")).context["cl"].result_list
    assert [session.pk for session in listed] == ["two"]


def test_the_page_of_a_session_counts_what_is_alive(admin_client):
    store(), store(), delete(store())
    session = Session.objects.get()
    assert "2 alive" in admin_client.get(page_url("session", session.pk)).text


def test_an_orchestrator_lives_while_it_is_heard(admin_client):
    fill_tables(1)
    row = Orchestrator.objects.get()
    page = admin_client.get(page_url("orchestrator", row.pk)).text
    assert "alive" in page
    assert "lanes.writes.depth" in page
    Orchestrator.objects.update(stopped_at=row.seen_at)
    assert "stopped" in admin_client.get(list_url("orchestrator")).text


def test_the_dimension_of_a_vector_is_shown_without_the_vector(admin_client):
    fill_tables(1)
    from memories.models import Embedding

    page = admin_client.get(page_url("embedding", Embedding.objects.get().pk))
    assert page.context["original"].dims == 3
    assert "embedding" in page.context["original"].get_deferred_fields()
