"""The page of a session: what was said as a dialogue, a summary, end and archive."""

from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.urls import reverse
from django.utils import timezone

from memories.admin import dialogue
from memories.models import AccessLog, MemoryEntry, Session
from tests.factories import store

from .conftest import page_url
from .rows import delete, open_session
from .test_memory_page import HOSTILE

SUMMARY = reverse("memories:summary")

pytestmark = pytest.mark.django_db


def say(text, minute, session_id="hall", **values):
    at = timezone.now() - timedelta(hours=1) + timedelta(minutes=minute)
    return store(text, session_id, created_at=at, **values)


def turns_of(client, session_id="hall", **parameters):
    response = client.get(page_url("session", session_id), parameters)
    return response.context["dialogue"].turns


def end(client, **fields):
    fields = {"session_id": "hall", "next": page_url("session", "hall")} | fields
    return client.post(reverse("memories:end-session"), fields, follow=True)


def test_turns_stand_in_the_order_in_which_they_were_said(admin_client):
    answer = say("It is nine.", 2, content_json=b'{"text": "It is nine.", "role": "assistant"}')
    question = say("What time is it?", 1, tags=["clock"])
    delete(say("Never mind.", 3))
    say("Elsewhere.", 1, "kitchen")
    memory = MemoryEntry.objects.get(pk=question)
    AccessLog.objects.create(
        owner_id=memory.owner_id,
        memory_id=question,
        action="search",
        day=timezone.now().date(),
        accesses=3,
        last_at=timezone.now(),
    )
    first, second = turns_of(admin_client)
    assert (first.memory_id, first.recalls, first.tags) == (question, 3, ["clock"])
    assert (second.memory_id, second.text, second.is_answer) == (answer, "It is nine.", True)


def test_a_long_session_is_read_from_its_end(admin_client, monkeypatch):
    monkeypatch.setattr(dialogue, "TURNS", 2)
    at = timezone.now()  # all at one moment: the ids decide
    said = {store(f"turn {number}", "hall", created_at=at) for number in range(5)}
    seen, before = [], ""
    while True:
        response = admin_client.get(page_url("session", "hall"), {"before": before})
        page = response.context["dialogue"]
        seen = [turn.memory_id for turn in page.turns] + seen
        if not (before := page.earlier):
            break
    assert len(seen) == 5 and set(seen) == said


def test_what_was_said_cannot_break_out_of_its_place(admin_client):
    say(HOSTILE, 1, tags=[HOSTILE[:64]])
    say("x" * 1_000_000, 2)
    say("", 3, content_json=b'{"list": [1, 2]}')
    text = admin_client.get(page_url("session", "hall")).text
    assert "<script>alert" not in text and "<img src=x" not in text
    assert "cut off here" in text and len(text) < 200_000
    assert turns_of(admin_client)[-1].is_data


@pytest.mark.parametrize("before", ["nothing", "\0", "'"])
def test_a_made_up_place_shows_the_end(admin_client, before):
    memory_id = say("hello", 1)
    assert [turn.memory_id for turn in turns_of(admin_client, before=before)] == [memory_id]


def test_a_summary_is_made_on_demand_and_never_by_a_look(enter):
    say("The dentist is on Thursday at nine.", 1)
    client = enter("viewer")
    summary = client.post(SUMMARY, {"session_id": "hall"}).context["summary"]
    assert "dentist" in summary.text and summary.memory_count == 1
    assert client.get(SUMMARY, {"session_id": "hall"}).status_code == 405
    assert client.post(SUMMARY, {"session_id": "no such"}).status_code == 404


def test_a_session_is_ended_and_archived_once_each(enter):
    say("hello", 1)
    client = enter("operator")
    assert "End and archive" in client.get(page_url("session", "hall")).text
    assert "is ended since" in end(client).text
    assert "is archived" in end(client, archive="1").text
    session = Session.objects.get(pk="hall")
    assert session.ended_at and session.is_archived
    told = [entry.get_change_message() for entry in LogEntry.objects.order_by("pk")]
    assert told == ["Ended", "Archived"]
    assert "No session" in end(client, session_id="none").text


def test_a_viewer_is_offered_no_end_and_refused_one(enter):
    open_session("hall", "ann")
    client = enter("viewer")
    assert "End and archive" not in client.get(page_url("session", "hall")).text
    assert end(client).status_code == 403
    assert Session.objects.get(pk="hall").ended_at is None


def test_a_button_leads_to_no_other_host(admin_client):
    open_session("hall", "ann")
    fields = {"session_id": "hall", "next": "https://elsewhere.example/"}
    answer = admin_client.post(reverse("memories:end-session"), fields)
    assert answer.url == reverse("admin:index")


def test_of_many_tags_the_first_are_shown_and_the_rest_counted(admin_client):
    store("hello", open_session("hall", "ann"), tags=[f"tag-{number}" for number in range(64)])
    page = admin_client.get(page_url("session", "hall")).text
    assert "tag-11" in page and "tag-12" not in page and "and 52 tags more" in page
