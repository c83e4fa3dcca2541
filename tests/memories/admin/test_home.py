"""The home page: what it tells at a glance, and that it costs the same at any size."""

import json
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from memories.changes import rows
from memories.models import EmbeddingTask, MemoryEntry, Orchestrator, Session
from memories.services import overview
from tests.factories import store

from .rows import delete, fill_tables, open_session
from .test_lists import ids_in

pytestmark = pytest.mark.django_db

HOME = reverse("admin:index")


def checks_of(response):
    return {check.title: check for check in response.context["checks"]}


def live_row(instance, **stats):
    now = timezone.now()
    return Orchestrator.objects.create(
        instance=instance, version="1", stats=stats, started_at=now, seen_at=now
    )


def test_an_empty_installation_is_told_as_one(admin_client):
    response = admin_client.get(HOME)
    checks = checks_of(response)
    assert checks["Orchestrators"].state == "danger"
    assert checks["Last good backup"].value == "never"
    assert "No memory was stored" in response.text


def test_it_tells_who_lives_and_how_busy_they_are(admin_client):
    answers = {"count": 3, "errors": 1, "p50_ms": 0.5, "p99_ms": 2.0}
    live_row("one", latencies={"create": answers}, cache={"hits": 3, "misses": 1})
    live_row("two", latencies={"create": answers | {"p99_ms": 9.0}})
    fallen = live_row("three", latencies={"create": answers})
    Orchestrator.objects.filter(pk=fallen.pk).update(seen_at=timezone.now() - timedelta(minutes=1))
    response = admin_client.get(reverse("memories:home-live"))
    found = checks_of(response)["Orchestrators"]
    assert (found.value, found.state) == ("2 alive", "warning")
    assert "1 fell silent" in found.detail
    traffic = response.context["traffic"]
    [action] = traffic.actions
    assert (action.count, action.errors, action.p99_ms) == (6, 2, 9.0)
    assert traffic.hit_percent == 75


def test_what_waits_for_a_hand_leads_to_it(admin_client):
    fill_tables(2)
    long_ago = timezone.now() - timedelta(minutes=1)
    EmbeddingTask.objects.update(attempts=5, due_at=long_ago)
    open_session("forgotten", "ann")
    Session.objects.filter(pk="forgotten").update(created_at=timezone.now() - timedelta(days=8))
    work = admin_client.get(HOME).context["work"]
    assert [one.text for one in work] == [
        "2 memories could not be embedded",
        "1 session was never ended",
        "2 reports of imports are unread",
    ]
    assert len(admin_client.get(work[0].url).context["failures"]) == 2
    assert ids_in(admin_client.get(work[1].url)) == ["forgotten"]


def test_what_came_in_is_counted_by_the_viewer_s_day(admin_client):
    late = timezone.now().replace(hour=23, minute=30, second=0) - timedelta(days=2)
    store(created_at=late)
    store(created_at=late, memory_type="entity")
    delete(store(created_at=late))
    store(created_at=late - timedelta(days=30))
    for zone, day in (("UTC", late.date()), ("Asia/Tokyo", late.date() + timedelta(days=1))):
        admin_client.cookies["timezone"] = zone
        arrivals = admin_client.get(HOME).context["arrivals"]
        assert arrivals.counts == {(day, "conversation"): 1, (day, "entity"): 1}
        assert not arrivals.is_estimate


def test_many_are_estimated_from_a_sample(admin_client, monkeypatch):
    stored = [store() for _ in range(20)]
    rows("ANALYZE memory_entries")
    monkeypatch.setattr(overview, "COUNTED_ROWS", 19)
    response = admin_client.get(HOME)
    assert response.context["arrivals"].is_estimate
    # A sample is of whole pages of the table, so that of few it may hold all or nothing.
    assert response.context["arrived"] in range(2 * len(stored))


def test_no_table_is_counted_as_a_whole(admin_client):
    fill_tables(2)
    with CaptureQueriesContext(connection) as captured:
        admin_client.get(HOME)
    for sql in (query["sql"] for query in captured if "count(" in query["sql"].lower()):
        assert any(bound in sql for bound in ("LIMIT", "created_at >=", "pg_stat")), sql


def test_of_many_types_the_largest_are_named_and_the_rest_are_one(admin_client):
    for number in range(12):
        store(memory_type=f"type-{number:02}")
    store(memory_type="type-11")
    chart = json.loads(admin_client.get(HOME).context["chart"])
    named = [dataset["label"] for dataset in chart["datasets"]]
    assert (named[0], named[-1], len(named)) == ("type-11", "other", 11)
    assert sum(sum(dataset["data"]) for dataset in chart["datasets"]) == 13


def test_hostile_names_are_shown_as_they_are(admin_client):
    live_row("one", latencies={"<script>": {"count": 1}})
    memory = store()
    MemoryEntry.objects.filter(pk=memory).update(memory_type='"><script>alert(1)')
    assert "<script>alert" not in admin_client.get(HOME).text
    assert "&lt;script&gt;" in admin_client.get(reverse("memories:home-live")).text


def test_an_account_without_rights_sees_no_figures(client, django_user_model):
    client.force_login(django_user_model.objects.create_user("new", is_staff=True))
    response = client.get(HOME)
    assert "checks" not in response.context
    assert "may not look" in response.text
    assert client.get(reverse("memories:home-live")).status_code == 403
