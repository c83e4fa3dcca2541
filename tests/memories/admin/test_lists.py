"""Lists: what they show, and what they cost."""

import re
from datetime import timedelta

import pytest
from django.contrib import admin
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from memories.admin import counting
from memories.ids import owner_in
from memories.models import MemoryEntry
from tests.factories import store

from .conftest import list_url
from .rows import LISTED, delete, expire, fill_tables, open_session

pytestmark = pytest.mark.django_db


def ids_in(response):
    return [row.pk for row in response.context["cl"].result_list]


@pytest.mark.parametrize("model", LISTED, ids=lambda model: model._meta.model_name)
def test_a_list_and_a_page_of_every_table_load(admin_client, model):
    fill_tables(1)
    response = admin_client.get(list_url(model._meta.model_name))
    assert response.status_code == 200
    [first, *_] = ids_in(response)
    page = admin_client.get(first_link(response))
    assert page.status_code == 200
    assert page.context["original"].pk == first


def first_link(response):
    return re.search(r'<th class="field-[^>]*><a href="([^"]+)"', response.text)[1]


def test_every_table_has_a_screen():
    from django.apps import apps

    registered = {model for model in admin.site._registry if model._meta.app_label == "memories"}
    assert registered == set(apps.get_app_config("memories").get_models()) == set(LISTED)


@pytest.mark.parametrize("model", LISTED, ids=lambda model: model._meta.model_name)
def test_a_list_of_many_takes_as_many_queries_as_of_one(admin_client, model):
    url = list_url(model._meta.model_name)
    fill_tables(1)
    admin_client.get(url)
    few = queries_of(admin_client, url)
    fill_tables(4)
    assert len(queries_of(admin_client, url)) == len(few)


@pytest.mark.parametrize("model", LISTED, ids=lambda model: model._meta.model_name)
def test_no_list_counts_the_table_or_reads_what_is_large(admin_client, model):
    fill_tables(3)
    for sql in queries_of(admin_client, list_url(model._meta.model_name)):
        if "COUNT(" in sql:
            assert f"LIMIT {counting.COUNT_LIMIT + 1}" in sql
        assert "DISTINCT" not in sql
        selected = sql.partition(" FROM ")[0]
        for large in ("embedding", "search", "content", "answer", "stats", "metadata", "text"):
            assert f'."{large}",' not in selected, sql
            assert not selected.endswith(f'."{large}"'), sql


def queries_of(client, url):
    with CaptureQueriesContext(connection) as captured:
        assert client.get(url).status_code == 200
    return [query["sql"] for query in captured if "django_session" not in query["sql"]]


def test_a_long_list_is_estimated_and_says_so(admin_client, monkeypatch):
    monkeypatch.setattr(counting, "COUNT_LIMIT", 2)
    stored = [store() for _ in range(5)]
    response = admin_client.get(list_url("memoryentry"))
    assert "as PostgreSQL estimates" in response.text
    assert ids_in(response) == stored[::-1]


@pytest.fixture
def three_states(db):
    """A memory that is alive, one that is deleted, one that has expired."""
    alive, deleted, expired = (store() for _ in range(3))
    delete(deleted)
    expire(expired)
    return {"": alive, "deleted": deleted, "expired": expired}


@pytest.mark.parametrize("state", ["", "deleted", "expired"])
def test_the_list_shows_a_state_on_request(admin_client, three_states, state):
    response = admin_client.get(list_url("memoryentry", **({"state": state} if state else {})))
    assert ids_in(response) == [three_states[state]]
    assert f">{state or 'alive'}</td>" in response.text


def test_all_states_can_be_seen_at_once(admin_client, three_states):
    response = admin_client.get(list_url("memoryentry", state="all", within="hour"))
    assert set(ids_in(response)) == set(three_states.values())


@pytest.mark.parametrize("parameter", ["state", "within", "memory_type", "q"])
@pytest.mark.parametrize("value", ["nonsense", "\0", "'"])
def test_a_made_up_filter_does_no_harm(admin_client, parameter, value):
    store()
    response = admin_client.get(list_url("memoryentry", **{parameter: value}), follow=True)
    assert response.status_code == 200


def test_filters_go_by_type_and_age(admin_client):
    memory = store()
    old = store()
    MemoryEntry.objects.filter(pk=old).update(created_at=timezone.now() - timedelta(days=2))
    assert ids_in(admin_client.get(list_url("memoryentry", within="day"))) == [memory]
    found = ids_in(admin_client.get(list_url("memoryentry", memory_type="conversation")))
    assert found == [memory, old]
    assert not ids_in(admin_client.get(list_url("memoryentry", memory_type="entity")))


def test_only_filters_and_search_reach_the_database(admin_client, caplog):
    store()
    caplog.set_level("CRITICAL", "django.security")
    assert admin_client.get(list_url("memoryentry", text__icontains="kettle")).status_code == 400


def test_the_order_cannot_be_chosen_past_the_indexes(admin_client):
    stored = [store() for _ in range(3)]
    assert ids_in(admin_client.get(list_url("memoryentry", o="4"))) == stored[::-1]


class TestSearch:
    def find(self, client, term, model="memoryentry", **parameters):
        return ids_in(client.get(list_url(model, q=term, **parameters)))

    def test_an_id_finds_its_memory(self, admin_client):
        memory, other = store(), store()
        assert self.find(admin_client, memory) == [memory] != [other]

    def test_a_session_that_is_the_beginning_of_another_finds_its_own(self, admin_client):
        foo, foobar = store(session_id="foo"), store(session_id="foobar")
        assert self.find(admin_client, "foo") == [foo]
        assert self.find(admin_client, "fo") == [foobar, foo]
        assert self.find(admin_client, "oo") == []
        assert self.find(admin_client, "fo%") == []

    def test_a_user_finds_the_memories_of_all_sessions(self, admin_client):
        mine = [store(session_id=open_session(name, "ann")) for name in ("one", "two")]
        store(session_id=open_session("three", "anna"))
        assert self.find(admin_client, "ann") == mine[::-1]
        assert self.find(admin_client, "ann", "session") == ["two", "one"]

    def test_an_owner_finds_what_has_no_user(self, admin_client):
        memory = store(session_id="alone")
        store(session_id="other")
        assert self.find(admin_client, str(owner_in(memory))) == [memory]

    def test_a_search_finds_deleted_ones_on_request(self, admin_client):
        memory = store(session_id="hall")
        delete(memory)
        assert self.find(admin_client, "hall") == []
        assert self.find(admin_client, "hall", state="deleted") == [memory]
        assert self.find(admin_client, "hall", state="all") == [memory]

    def test_the_history_of_a_memory_is_found_by_its_id(self, admin_client):
        memory, other = store(), store()
        delete(memory, other)
        response = admin_client.get(list_url("revision", q=memory))
        assert [row.memory_id for row in response.context["cl"].result_list] == [memory]


def test_a_list_that_takes_too_long_is_stopped_and_says_so(admin_client, monkeypatch):
    from django.db.models import Func, IntegerField, Value

    from memories.admin import inspection
    from memories.admin.memories import MemoryEntryAdmin

    store()
    slow = Func(Value(5), function="pg_sleep", output_field=IntegerField())
    everything = MemoryEntryAdmin.everything
    monkeypatch.setattr(
        MemoryEntryAdmin, "everything", lambda self: everything(self).annotate(slow=slow)
    )
    monkeypatch.setattr(inspection, "LIST_SECONDS", 0.05)
    response = admin_client.get(list_url("memoryentry"))
    assert response.status_code == 302
    monkeypatch.undo()
    assert "was stopped" in admin_client.get(response.url).text
