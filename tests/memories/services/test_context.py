import json
from datetime import UTC, datetime, timedelta

import pytest

from memories.services.context import ContextAsk, build_context
from memories.services.filters import Filter, Scope
from memories.services.forget import Deletion, forget_memories
from memories.services.sessions import NewSession, open_sessions, owners_of_sessions
from memories.text.tokens import count_tokens
from tests.factories import database_now, set_expiry, store

pytestmark = pytest.mark.django_db

MORNING = datetime(2026, 9, 3, 8, tzinfo=UTC)


@pytest.fixture
def evening():
    """Two sessions of Ann: what was said in the morning, and an evening that has just begun."""
    for number, session_id in enumerate(["morning", "evening"]):
        open_sessions([NewSession(bytes([number] * 16), MORNING, session_id, user_id="ann")])
    for number, text in enumerate(
        ["Ann: I am allergic to hazelnuts.", "Ben: The plumber comes on Tuesday."]
    ):
        store(text, "morning", created_at=MORNING + timedelta(minutes=number))
    for number, text in enumerate(["Ann: Hello.", "Ann: What may I bake with nuts?"]):
        store(text, "evening", created_at=MORNING + timedelta(hours=12, minutes=number))
    return "evening"


def context(session_id, query="", **options):
    owner_id = owners_of_sessions([session_id]).get(session_id)
    return build_context(ContextAsk(Filter(Scope.SESSION, session_id, owner_id), query, **options))


def test_the_past_of_the_user_and_the_latest_turns(evening):
    found = context(evening, "hazelnuts")
    assert found.text == (
        "Recalled from earlier:\n"
        "2026-09-03, Ann: I am allergic to hazelnuts.\n"
        "\n"
        "This conversation:\n"
        "Ann: Hello.\n"
        "Ann: What may I bake with nuts?"
    )
    assert [memory.session_id for memory in found.memories] == ["morning", "evening", "evening"]
    assert found.token_count == count_tokens(found.text)
    assert (found.search_metadata.search_type, found.search_metadata.partial) == ("keyword", True)


def test_recalls_by_meaning_where_a_model_serves(trial, evening):
    found = context(evening, "hazelnuts allergic")
    assert found.search_metadata.search_type == "hybrid"
    assert found.text.startswith("Recalled from earlier:\n2026-09-03, Ann: I am allergic")


def test_without_a_query_the_latest_turns_alone(evening):
    for query in ("", " \n"):
        assert "Recalled" not in context(evening, query).text
    assert len(context(evening).memories) == 2


def test_as_many_turns_as_asked_for(evening):
    assert context(evening, recent=1).text == (
        "This conversation:\nAnn: What may I bake with nuts?"
    )
    assert context(evening, recent=0).text == ""
    recalled = context(evening, "plumber", recent=0)
    assert recalled.text == "Recalled from earlier:\n2026-09-03, Ben: The plumber comes on Tuesday."


def test_a_turn_that_is_quoted_makes_no_room_less_for_the_past(evening):
    """All that the query finds first are the session's own turns, which stand there anyway."""
    for number in range(40):
        store("nuts nuts", "evening", created_at=MORNING + timedelta(hours=13, minutes=number))
    store("Nuts are in the upper drawer, beside the sink.", "morning", created_at=MORNING)
    found = context(evening, "nuts", max_tokens=2000)
    assert "upper drawer" in found.text


def test_an_unknown_session_has_none():
    store("hello", "another")
    found = context("never-seen", "hello")
    assert (found.text, found.token_count, found.memories) == ("", 0, [])


def test_nothing_of_another_user(evening):
    store("Hazelnuts are in the cellar.", "of-somebody-else")
    assert "cellar" not in context(evening, "hazelnuts").text


@pytest.mark.parametrize("gone", ["deleted", "expired"])
def test_nothing_that_is_gone(evening, gone):
    ids = [store("The safe opens with 4711.", session) for session in ("morning", "evening")]
    for memory_id in ids:
        if gone == "deleted":
            forget_memories([Deletion(memory_id, MORNING)])
        else:
            set_expiry(memory_id, database_now())
    assert "4711" not in context(evening, "safe opens 4711").text


def test_what_says_nothing_takes_no_place(evening):
    store("", "evening", content_json=b'{"volume": 3}')
    assert context(evening, recent=2).memories == context(evening).memories


@pytest.mark.parametrize("max_tokens", [1, 12, 20, 40, 80])
def test_within_the_budget(evening, max_tokens):
    store("It rained. " * 10_000, "evening")
    store("Rain is due. " * 10_000, "morning")
    found = context(evening, "rain", max_tokens=max_tokens)
    assert count_tokens(found.text) <= max_tokens
    assert (max_tokens < 40) or found.memories


def test_within_the_bytes_of_a_reply(evening):
    for number in range(6):
        for session_id, word in (("evening", "new"), ("morning", "old")):
            content = {"text": f"A {word} one, number {number}.", "x": "x" * 100_000}
            store(session_id=session_id, content_json=json.dumps(content).encode())
    found = context(evening, "old", max_bytes=500_000)
    assert sum(len(bytes(memory.content)) for memory in found.memories) < 500_000
    assert {memory.session_id for memory in found.memories} == {"morning", "evening"}
