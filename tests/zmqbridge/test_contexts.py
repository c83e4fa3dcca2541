"""The action that fills a prompt, as the wire has it."""

import msgspec
import pytest

from tests.factories import Wire, make_answerer
from zmqbridge.accesses import Accesses
from zmqbridge.client import results


def test_what_was_said_and_what_it_recalls(wire):
    for session_id in ("morning", "evening"):
        wire.data("create_session", {"user_id": "ann"}, session_id=session_id)
    wire.create("The cat is called Minou.", "morning")
    wire.create("The cat is hungry.", "evening")
    found = wire.data("context", {"query": "called"}, session_id="evening")
    assert found["text"].endswith(
        ", The cat is called Minou.\n\nThis conversation:\nThe cat is hungry."
    )
    assert [memory["session_id"] for memory in found["memories"]] == ["morning", "evening"]
    assert msgspec.convert(found, results.Context).token_count > 10
    assert found["search_metadata"]["search_type"] == "keyword"


def test_the_payload_may_be_empty(wire):
    assert wire.data("context") == {"text": "", "token_count": 0, "memories": []}
    wire.create("The cat is hungry.")
    assert wire.data("context")["text"] == "This conversation:\nThe cat is hungry."


def test_no_query_is_a_syntax_error(wire):
    wire.create("The cat is hungry.")
    for query in ("", "   ", '"', "-", "'", "%s", "\\", "!&|()", "🙂", "-cat", "x " * 40_000):
        assert "The cat is hungry." in wire.data("context", {"query": query})["text"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("query", 5),
        ("query", "a\x00"),
        ("query", "x" * 100_001),
        ("max_tokens", 0),
        ("max_tokens", 1_000_001),
        ("max_tokens", "many"),
        ("recent", -1),
        ("recent", 1001),
        ("recent", 1.5),
    ],
)
def test_what_is_out_of_range_is_refused(wire, field, value):
    error = wire.error("context", {field: value})
    assert (error["code"], error["details"]["field"]) == ("validation_error", f"payload.{field}")


def test_the_access_log_tells_what_was_quoted(db):
    accesses = Accesses()
    wire = Wire(make_answerer(accesses=accesses))
    quoted = wire.create("The cat is hungry.")
    wire.create("", session_id="another")
    accesses.take()
    wire.data("context", {"metadata": {"agent_id": "oven"}})
    [access] = accesses.take()
    assert (access.action, access.agent_id, access.memory_id) == ("context", "oven", quoted)
