"""No input ends anything: every body gets one reply, in JSON, with a code of the protocol."""

import itertools
import json

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.factories import MAX_BODY_BYTES, SESSION, Wire, create, make_answerer, request
from zmqbridge.handlers import HANDLERS
from zmqbridge.protocol import Code

FUZZ = settings(
    max_examples=80,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

VALID = {
    "create": create(tags=["a"], ttl=60, priority=7, created_at="2026-01-01T00:00:00Z"),
    "batch_create": {"memories": [create("one"), create("two")]},
    "read": {"memory_id": "mem-1", "fresh": True},
    "update": {"memory_id": "mem-1", "content": {"text": "b"}, "tags": [], "ttl": None},
    "delete": {"memory_id": "mem-1", "metadata": {"agent_id": "kitchen"}},
    "batch_read": {
        "filter": {
            "memory_type": "conversation",
            "tags": ["a"],
            "tags_match": "all",
            "time_range": {"start": "2026-01-01", "end": "2027-01-01"},
            "limit": 5,
            "offset": 2,
            "sort": {"field": "priority", "order": "asc"},
            "scope": "all",
        }
    },
    "search": {"query": 'who "said so" -never', "search_type": "keyword", "filters": {"limit": 3}},
    "create_session": {"user_id": "ann", "session_metadata": {"session_type": "chat"}},
    "end_session": {"summary": "done", "archive": True},
    "bulk_delete": {"filter": {"tags": ["a"], "older_than": "2026-01-01T00:00:00Z"}},
    "summarize": {"memory_type": "conversation", "time_range": {"start": "2026-01-01"}},
    "restore": {"memory_id": "mem-1"},
    "history": {"memory_id": "mem-1"},
    "get_session": {"session_id": SESSION},
    "list_sessions": {"user_id": "ann", "limit": 3, "offset": 1},
    "stats": {},
    "relate": {
        "source_id": "mem-1",
        "target_id": "mem-2",
        "relationship_type": "about",
        "strength": 0.5,
        "metadata": {"agent_id": "kitchen", "why": [1.10]},
    },
    "unrelate": {"source_id": "mem-1", "target_id": "mem-2", "relationship_type": "about"},
    "related": {"memory_id": "mem-1", "relationship_type": "about", "depth": 3},
    "context": {"query": 'who "said so"', "max_tokens": 100, "recent": 5},
    "get_profile": {"user_id": "ann"},
    "update_profile": {"user_id": "ann", "preferences": {"a": None}, "profile_data": {"b": 1}},
    "get_state": {"agent_id": "kitchen"},
    "set_state": {"agent_id": "kitchen", "state": {"a": [1]}, "ttl": 60},
}

# Around the depth at which Python's own stack ends, at any height of the callers' stack.
DEPTHS = [60, 70, 300, *range(900, 1000, 5), 1100]
NESTING = ("content", "session_metadata", "preferences", "state", "unknown")

TEXTS = st.one_of(
    st.text(max_size=80),
    st.sampled_from(
        [
            "'; DROP TABLE memory_entries; --",
            "\\'; DELETE FROM sessions; --",
            "%s %(ids)s {0} {}",
            "a\x00b",
            "x" * 300,
            "2026-02-30T00:00:00Z",
            "mem-" + "A" * 44,
            "🙂" * 64,
            "\u202e\ufeff",
        ]
    ),
)
NUMBERS = st.one_of(
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([0, -1, 2**31, 2**63, 2**64, 10**30, 1e300, 0.1]),
)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda below: st.lists(below, max_size=4) | st.dictionaries(TEXTS, below, max_size=4),
    max_leaves=8,
)


def places_in(value, place=()):
    """The paths of all values in a JSON value."""
    yield place
    if isinstance(value, list):
        value = dict(enumerate(value))
    if isinstance(value, dict):
        for key, member in value.items():
            yield from places_in(member, (*place, key))


def put(value, place, new):
    if not place:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[place[0]] = put(copy[place[0]], place[1:], new)
    return copy


@st.composite
def mutated_requests(draw):
    """A valid request of which one to three values are replaced, envelope included."""
    action = draw(st.sampled_from(sorted(VALID)))
    body = json.loads(request(action, VALID[action]))
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.sampled_from(list(places_in(body))))
        body = put(body, place, draw(VALUES))
    return json.dumps(body).encode()


def check_reply(reply):
    assert reply["request_id"]
    assert reply["timestamp"].endswith("Z")
    if reply["status"] == "success":
        assert reply["data"]
        return
    assert reply["status"] == "error"
    assert reply["error"]["code"] in set(Code) - {Code.INTERNAL_ERROR, Code.STORAGE_ERROR}, reply
    assert reply["error"]["message"]
    if reply["error"]["code"] == Code.VALIDATION_ERROR:
        assert reply["error"]["details"]["field"]


@pytest.fixture
def memories(committing_wire):
    """Ids of memories that exist, by what stands for them in a valid request."""
    return {name: committing_wire.create().encode() for name in (b"mem-1", b"mem-2")}


def test_every_action_is_fuzzed():
    assert VALID.keys() >= HANDLERS.keys()


@pytest.mark.django_db(transaction=True)
class TestEveryBodyGetsOneReply:
    @FUZZ
    @given(st.binary(max_size=200) | VALUES.map(lambda value: json.dumps(value).encode()))
    @example(b"")
    @example(b"null")
    @example(b"[]")
    @example(b"\xff\xfe")
    @example(b"[" * 100_000)
    @example(b'{"a":' * 100_000)
    @example(b"[" * 100_000 + b"]" * 100_000)
    @example(b'{"action":"create","request_id":"\\ud800","session_id":"s"}')
    def test_whatever_it_holds(self, body):
        [reply] = Wire(make_answerer()).answer([body])
        check_reply(reply)

    @settings(FUZZ, max_examples=300)
    @given(st.lists(mutated_requests(), min_size=1, max_size=5))
    def test_near_valid_ones_together(self, memories, bodies):
        for name, memory_id in memories.items():
            bodies = [body.replace(name, memory_id) for body in bodies]
        replies = Wire(make_answerer()).answer(bodies)
        assert len(replies) == len(bodies)
        for body, reply in zip(bodies, replies, strict=True):
            check_reply(reply)
            sent = json.loads(body)
            if isinstance(sent, dict) and reply["request_id"] != "unknown":
                assert reply["request_id"] == sent["request_id"]

    @pytest.mark.parametrize("leaf", [b"1", b'"\\u0000"'])
    def test_nested_at_every_depth(self, leaf, committing_wire):
        for action, depth in itertools.product(VALID, DEPTHS):
            nested = b'{"a":' + b"[" * depth + leaf + b"]" * depth + b"}"
            payload = VALID[action] | dict.fromkeys(NESTING, "HERE")
            body = request(action, payload).replace(b'"HERE"', nested)
            [reply] = committing_wire.answer([body])
            check_reply(reply)
            assert reply["status"] == "error" or leaf == b"1"

    def test_over_the_limit(self, committing_wire):
        body = request("create", create("x" * MAX_BODY_BYTES), request_id="long")
        [reply] = committing_wire.answer([body])
        assert reply["request_id"] == "long"
        assert reply["error"]["code"] == "validation_error"
        assert reply["error"]["details"]["max_body_bytes"] == MAX_BODY_BYTES
