"""Lists: what they show, and what they cost."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib import admin
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from memories.admin import counting, memory_filters
from memories.admin.inspection import InspectionAdmin
from memories.ids import owner_in
from memories.models import EmbeddingTask, MemoryEntry
from tests.embedders import TrialEmbedder, embed_all, serve_by
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


FILTERS = ["state", "user", "session", "memory_type", "tag", "agent", "within", "from", "to", "q"]
MADE_UP = ["nonsense", "\0", "'", "2026-13-01~x", "~", "9999-12-31", "0001-01-01", ""]


@pytest.mark.parametrize("parameter", [*FILTERS, "after", "before"])
def test_a_made_up_filter_does_no_harm(admin_client, parameter):
    store()
    for value in MADE_UP:
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


class TestFilters:
    def find(self, client, model="memoryentry", **parameters):
        return ids_in(client.get(list_url(model, **parameters)))

    def test_a_session_that_is_the_beginning_of_another_finds_its_own(self, admin_client):
        foo, foobar = store(session_id="foo"), store(session_id="foobar")
        assert self.find(admin_client, session="foo") == [foo]
        assert self.find(admin_client, session="fo") == [foobar, foo]
        assert self.find(admin_client, session="oo") == []
        assert self.find(admin_client, session="fo%") == []

    def test_a_user_finds_the_memories_of_all_sessions(self, admin_client):
        mine = [store(session_id=open_session(name, "ann")) for name in ("one", "two")]
        store(session_id=open_session("three", "anna"))
        assert self.find(admin_client, user="ann") == mine[::-1]
        assert self.find(admin_client, "session", q="ann") == ["two", "one"]

    def test_an_owner_finds_what_has_no_user(self, admin_client):
        memory = store(session_id="alone")
        store(session_id="other")
        assert self.find(admin_client, user=str(owner_in(memory))) == [memory]

    def test_tags_agents_and_days(self, admin_client):
        kitchen = store(tags=["kitchen", "a, b"], source_agent="cook")
        store(tags=["kitchenette"], source_agent="cooks")
        today = timezone.localdate().isoformat()
        assert self.find(admin_client, tag="kitchen") == [kitchen]
        assert self.find(admin_client, tag="a, b", agent="cook") == [kitchen]
        assert len(self.find(admin_client, **{"from": today, "to": today})) == 2
        assert self.find(admin_client, to="2026-01-01") == []

    def test_a_day_is_the_viewer_s(self, admin_client):
        memory = store()
        late = datetime(2026, 3, 1, 23, 30, tzinfo=UTC)
        MemoryEntry.objects.filter(pk=memory).update(created_at=late)
        assert self.find(admin_client, to="2026-03-01") == [memory]
        admin_client.cookies["timezone"] = "Asia/Tokyo"
        assert self.find(admin_client, to="2026-03-01") == []
        assert self.find(admin_client, **{"from": "2026-03-02"}) == [memory]

    def test_what_waits_for_a_vector_is_found(self, admin_client, trial):
        done = store()
        embed_all()
        waiting = store()
        assert self.find(admin_client, state="unembedded") == [waiting] != [done]

    def test_what_a_client_has_not_embedded_is_found(self, admin_client, embedders):
        """Of a model that does not embed by itself, nothing waits: it has no vector."""
        serve_by(TrialEmbedder(), "given")
        bare, without_a_text = store(), store("")
        EmbeddingTask.objects.all().delete()
        assert self.find(admin_client, state="unembedded") == [bare] != [without_a_text]

    def test_what_is_rare_is_looked_for_among_the_newest(self, admin_client, monkeypatch):
        monkeypatch.setattr(memory_filters, "LOOKED_THROUGH", 2)
        old = store(tags=["rare"], session_id="hall")
        store(), store()
        new = store(tags=["rare"])
        response = admin_client.get(list_url("memoryentry", tag="rare"))
        assert ids_in(response) == [new] and "Among the newest" in response.text
        assert self.find(admin_client, tag="rare", session="hall") == [old]
        assert "Among the newest" not in admin_client.get(list_url("memoryentry")).text

    def test_the_history_of_a_memory_is_found_by_its_id(self, admin_client):
        memory, other = store(), store()
        delete(memory, other)
        response = admin_client.get(list_url("revision", q=memory))
        assert [row.memory_id for row in response.context["cl"].result_list] == [memory]


class TestPages:
    @pytest.fixture(autouse=True)
    def _small_pages(self, monkeypatch):
        monkeypatch.setattr(InspectionAdmin, "list_per_page", 2)

    def follow(self, client, url, direction):
        """The ids of each page from this one on, and the last page's address."""
        found = []
        while True:
            response = client.get(url)
            found.append(ids_in(response))
            query = getattr(response.context["cl"], f"{direction}_url")
            if not query:
                return found, url
            url = list_url("memoryentry") + query

    @pytest.mark.parametrize("state", ["", "deleted", "all"])
    def test_pages_follow_each_other_both_ways(self, admin_client, state):
        stored = [store() for _ in range(5)]
        MemoryEntry.all_objects.filter(pk__in=stored[1:4]).update(created_at=timezone.now())
        if state == "deleted":
            delete(*stored)  # all at one time: the ids decide
        url = list_url("memoryentry", state=state)
        pages, last = self.follow(admin_client, url, "later")
        assert [len(page) for page in pages] == [2, 2, 1]
        listed = [an_id for page in pages for an_id in page]
        assert sorted(listed) == sorted(stored)
        back, _ = self.follow(admin_client, last, "earlier")
        assert [an_id for page in reversed(back) for an_id in page] == listed

    def test_a_page_is_what_follows_a_row_whatever_came_meanwhile(self, admin_client):
        stored = [store() for _ in range(4)]
        first = admin_client.get(list_url("memoryentry"))
        store()
        following = list_url("memoryentry") + first.context["cl"].later_url
        assert ids_in(admin_client.get(following)) == stored[1::-1]

    def test_the_next_page_keeps_the_filter_and_a_filter_begins_anew(self, admin_client):
        for _ in range(3):
            store(session_id="hall")
        first = admin_client.get(list_url("memoryentry", session="hall", state=""))
        later = first.context["cl"].later_url
        assert "session=hall" in later and "state" not in later
        second = admin_client.get(list_url("memoryentry") + later).context["cl"]
        assert "after" not in second.get_query_string({"memory_type": "entity"})


def test_a_list_that_takes_too_long_is_stopped_and_says_so(admin_client, monkeypatch):
    from django.db.models import Func, IntegerField, Value

    from memories.admin import limits
    from memories.admin.memories import MemoryEntryAdmin

    store()
    slow = Func(Value(5), function="pg_sleep", output_field=IntegerField())
    everything = MemoryEntryAdmin.everything
    monkeypatch.setattr(
        MemoryEntryAdmin, "everything", lambda self: everything(self).annotate(slow=slow)
    )
    monkeypatch.setattr(limits, "PAGE_SECONDS", 0.05)
    response = admin_client.get(list_url("memoryentry"))
    assert response.status_code == 302
    monkeypatch.undo()
    assert "was stopped" in admin_client.get(response.url).text
