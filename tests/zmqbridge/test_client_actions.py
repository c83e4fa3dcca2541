"""What each method puts on the wire, and that the orchestrator's payload types know its fields."""

import asyncio
import json
from datetime import UTC, datetime

import msgspec
import pytest

from tests.zmqbridge.scripted_router import MEMORY, STORED, ScriptedRouter
from zmqbridge import payloads
from zmqbridge.client import AsyncClient, Client, NewMemory

TIME = datetime(2026, 8, 1, 12, tzinfo=UTC)
WIRE_TIME = "2026-08-01T12:00:00Z"
PAGE_INFO = {"limit": 10, "offset": 0, "has_more": False}
FILTERS = {
    "memory_types": ["note"],
    "tags": ["a"],
    "tags_match": "all",
    "time_range": {"start": WIRE_TIME, "end": WIRE_TIME},
    "scope": "user",
    "limit": 3,
}
FILTER_ARGUMENTS = {
    "memory_types": ["note"],
    "tags": ["a"],
    "tags_match": "all",
    "start": TIME,
    "end": TIME,
    "scope": "user",
    "limit": 3,
}
NEW = {
    "content": {"text": "x"},
    "memory_type": "note",
    "tags": ["a"],
    "priority": 7,
    "ttl": 60,
    "created_at": WIRE_TIME,
    "embedding": [0.5],
}
NEW_ARGUMENTS = {
    "content": {"text": "x"},
    "memory_type": "note",
    "tags": ["a"],
    "priority": 7,
    "ttl_seconds": 60,
    "created_at": TIME,
    "embedding": [0.5],
}
SESSION = {
    "session_id": "s",
    "user_id": None,
    "session_type": "conversation",
    "session_metadata": {},
    "summary": None,
    "created_at": WIRE_TIME,
    "updated_at": WIRE_TIME,
    "ended_at": None,
    "is_archived": False,
    "memory_count": 0,
    "last_memory_at": None,
}
PAGE = {"memories": [MEMORY], "total_count": 1, "page_info": PAGE_INFO}
RELATIONSHIP = {
    "source_id": "a",
    "target_id": "b",
    "relationship_type": "t",
    "strength": 0.5,
    "metadata": {"c": 1},
    "created_at": WIRE_TIME,
}
PROFILE = {
    "user_id": "u",
    "preferences": {"a": 1},
    "profile_data": {},
    "created_at": WIRE_TIME,
    "updated_at": None,
}
STATE = {"agent_id": "a", "state": {"b": 1}, "updated_at": WIRE_TIME, "expires_at": None}

# method, arguments, payload, data of the reply, payload type
CALLS = [
    ("create", NEW_ARGUMENTS, NEW, STORED, payloads.CreatePayload),
    (
        "batch_create",
        {"memories": [NewMemory(**NEW_ARGUMENTS), NewMemory(content="y")]},
        {"memories": [NEW, {"content": "y", "memory_type": "conversation"}]},
        {"memory_ids": ["mem-1", "mem-2"], "created_at": WIRE_TIME},
        payloads.BatchCreatePayload,
    ),
    (
        "read",
        {"memory_id": "mem-1", "fresh": True},
        {"memory_id": "mem-1", "fresh": True},
        MEMORY,
        payloads.ReadPayload,
    ),
    (
        "update",
        {"memory_id": "mem-1", "content": "y", "ttl_seconds": None, "if_updated_at": TIME},
        {"memory_id": "mem-1", "content": "y", "ttl": None, "if_updated_at": WIRE_TIME},
        {"memory_id": "mem-1", "updated_at": WIRE_TIME, "expires_at": None},
        payloads.UpdatePayload,
    ),
    (
        "delete",
        {"memory_id": "mem-1"},
        {"memory_id": "mem-1"},
        {"deleted": True},
        payloads.DeletePayload,
    ),
    ("batch_read", {}, {"filter": {"limit": 10}}, PAGE, payloads.BatchReadPayload),
    (
        "batch_read",
        {"memory_ids": ["mem-1", "mem-2"]},
        {"memory_ids": ["mem-1", "mem-2"]},
        {**PAGE, "missing": ["mem-2"]},
        payloads.BatchReadPayload,
    ),
    (
        "batch_read",
        {**FILTER_ARGUMENTS, "offset": 5, "sort_by": "priority", "order": "asc"},
        {"filter": {**FILTERS, "offset": 5, "sort": {"field": "priority", "order": "asc"}}},
        PAGE,
        payloads.BatchReadPayload,
    ),
    (
        "search",
        {
            **FILTER_ARGUMENTS,
            "query": "q",
            "search_type": "keyword",
            "min_similarity": 0.5,
            "deadline_ms": 100,
        },
        {
            "query": "q",
            "search_type": "keyword",
            "filters": {**FILTERS, "min_similarity": 0.5},
            "deadline_ms": 100,
        },
        {
            "results": [{**MEMORY, "similarity_score": 1}],
            "total_count": 1,
            "search_metadata": {"search_type": "keyword"},
        },
        payloads.SearchPayload,
    ),
    (
        "create_session",
        {"user_id": "u", "session_metadata": {"a": 1}, "session_type": "t"},
        {"user_id": "u", "session_metadata": {"a": 1}, "session_type": "t"},
        {"session_id": "s", "created_at": WIRE_TIME},
        payloads.CreateSessionPayload,
    ),
    (
        "end_session",
        {"summary": "done", "archive": True},
        {"summary": "done", "archive": True},
        {"session_id": "s", "ended_at": WIRE_TIME, "is_archived": True},
        payloads.EndSessionPayload,
    ),
    (
        "bulk_delete",
        {"memory_type": "t", "tags": ["a"], "older_than": TIME, "scope": "user"},
        {"filter": {"memory_type": "t", "tags": ["a"], "older_than": WIRE_TIME, "scope": "user"}},
        {"deleted_count": 1, "filter_applied": {}, "operation_id": "op-1"},
        payloads.BulkDeletePayload,
    ),
    (
        "restore",
        {"memory_id": "mem-1"},
        {"memory_id": "mem-1"},
        {"memory_id": "mem-1", "restored": True},
        payloads.RestorePayload,
    ),
    (
        "restore_operation",
        {"operation_id": "op-1"},
        {"operation_id": "op-1"},
        {"restored_count": 3},
        payloads.RestorePayload,
    ),
    (
        "summarize",
        {"memory_type": "t", "start": TIME},
        {"memory_type": "t", "time_range": {"start": WIRE_TIME}},
        {"summary": "x", "memory_count": 1, "time_range": {"start": WIRE_TIME, "end": WIRE_TIME}},
        payloads.SummarizePayload,
    ),
    (
        "history",
        {"memory_id": "mem-1", "limit": 5, "offset": 10},
        {"memory_id": "mem-1", "limit": 5, "offset": 10},
        {"revisions": []},
        payloads.HistoryPayload,
    ),
    (
        "get_session",
        {"session_id": "s"},
        {"session_id": "s"},
        SESSION,
        payloads.GetSessionPayload,
    ),
    (
        "list_sessions",
        {"user_id": "u", "limit": 2, "offset": 1, "archived": True},
        {"user_id": "u", "limit": 2, "offset": 1, "archived": True},
        {"sessions": [SESSION], "total_count": 1, "page_info": PAGE_INFO},
        payloads.ListSessionsPayload,
    ),
    ("stats", {}, {}, {"anything": 1}, payloads.Empty),
    (
        "relate",
        {"source_id": "a", "target_id": "b", "relationship_type": "t", "strength": 0.5},
        {"source_id": "a", "target_id": "b", "relationship_type": "t", "strength": 0.5},
        RELATIONSHIP,
        payloads.RelatePayload,
    ),
    (
        "unrelate",
        {"source_id": "a", "target_id": "b", "relationship_type": "t"},
        {"source_id": "a", "target_id": "b", "relationship_type": "t"},
        {"removed": True},
        payloads.UnrelatePayload,
    ),
    (
        "related",
        {"memory_id": "a", "depth": 2},
        {"memory_id": "a", "depth": 2},
        {
            "memories": [{**MEMORY, "relationship_type": "t", "strength": 0.5, "depth": 1}],
            "has_more": False,
        },
        payloads.RelatedPayload,
    ),
    (
        "context",
        {"query": "q", "max_tokens": 100, "recent": 3},
        {"query": "q", "max_tokens": 100, "recent": 3},
        {"text": "x", "token_count": 1, "memories": [MEMORY]},
        payloads.ContextPayload,
    ),
    ("get_profile", {"user_id": "u"}, {"user_id": "u"}, PROFILE, payloads.GetProfilePayload),
    (
        "update_profile",
        {"user_id": "u", "preferences": {"a": 1}},
        {"user_id": "u", "preferences": {"a": 1}},
        PROFILE,
        payloads.UpdateProfilePayload,
    ),
    ("get_state", {"agent": "a"}, {"agent_id": "a"}, STATE, payloads.GetStatePayload),
    (
        "set_state",
        {"agent": "a", "state": {"b": 1}, "ttl_seconds": 5},
        {"agent_id": "a", "state": {"b": 1}, "ttl": 5},
        STATE,
        payloads.SetStatePayload,
    ),
]


@pytest.mark.parametrize(("method", "arguments", "payload", "data", "payload_type"), CALLS)
def test_a_method_sends_its_payload_in_both_clients(method, arguments, payload, data, payload_type):
    async def call_async(endpoint):
        async with AsyncClient(endpoint, session_id="s") as client:
            return await getattr(client, method)(**arguments)

    with ScriptedRouter(lambda router, incoming: router.succeed(incoming, data)) as router:
        with Client(router.endpoint, session_id="s") as client:
            result = getattr(client, method)(**arguments)
        assert asyncio.run(call_async(router.endpoint)) == result
        sent = [json.loads(incoming.body) for incoming in router.received]
    assert [request["payload"] for request in sent] == [payload, payload]
    assert sent[0]["action"] == method.removesuffix("_operation")
    assert sent[0]["session_id"] == "s"
    assert_holds(msgspec.to_builtins(result), data)
    assert_is_known(payload, payload_type)


def assert_holds(plain, data):
    """All that the reply says, and no more than defaults beside it."""
    if isinstance(data, dict):
        for key, value in data.items():
            assert_holds(plain[key], value)
    elif isinstance(data, list):
        for one, value in zip(plain, data, strict=True):
            assert_holds(one, value)
    else:
        assert plain == data


def assert_is_known(payload, payload_type):
    """The orchestrator ignores fields that it does not know: a misspelt one would be lost."""
    msgspec.json.decode(json.dumps(payload), type=payload_type)
    known = {field.name for field in msgspec.structs.fields(payload_type)}
    assert payload.keys() - {"embedding", "query_embedding"} <= known


def test_every_method_is_tried():
    methods = {
        name
        for owner in Client.__mro__
        for name, member in vars(owner).items()
        if type(member).__name__ == "Action"
    }
    assert methods - {"ping", "health"} == {call[0] for call in CALLS}


def test_an_action_without_a_session_of_its_own_works_without_one():
    data = {"session_id": "session-1", "created_at": WIRE_TIME}
    with (
        ScriptedRouter(lambda router, incoming: router.succeed(incoming, data)) as router,
        Client(router.endpoint) as client,
    ):
        client.create_session("u")
    assert router.received[0].session_id == ""


def test_relate_keeps_its_own_metadata_beside_the_agent():
    with (
        ScriptedRouter(lambda router, incoming: router.succeed(incoming, RELATIONSHIP)) as router,
        Client(router.endpoint, agent_id="oven") as client,
    ):
        client.relate("a", "b", "t", metadata={"why": "x"})
    assert router.received[0].payload["metadata"] == {"why": "x", "agent_id": "oven"}
