"""A change that is sent again unchanged gets its first answer and changes nothing more."""

import json
from itertools import count

import pytest
from django.db import connection

from memories.models import (
    AgentState,
    MemoryEntry,
    Relationship,
    RequestKey,
    Revision,
    Session,
    UserProfile,
)
from tests.factories import SESSION, create, other_connection, request, run_together


def state():
    """All that a repeated request must leave as it is."""
    return (
        list(MemoryEntry.all_objects.order_by("id").values()),
        list(Revision.objects.order_by("id").values()),
        list(Session.objects.order_by("id").values()),
        list(Relationship.objects.order_by("id").values()),
        list(UserProfile.objects.values()),
        list(AgentState.objects.order_by("id").values()),
    )


def prepared(wire, action):
    """The body of a changing request, with what it needs in place."""
    memory_id = wire.create("first", tags=["a"])
    operation_id = ""
    if action.startswith("restore"):
        wire.data("delete", {"memory_id": memory_id})
    if action == "restore_operation":
        wire.data("restore", {"memory_id": memory_id})
        operation_id = wire.data("bulk_delete", {"filter": {"tags": ["a"]}})["operation_id"]
    ends = {"source_id": memory_id, "target_id": memory_id, "relationship_type": "about"}
    if action.endswith("relate"):
        ends["target_id"] = wire.create("second")
    if action == "unrelate":
        wire.data("relate", ends)
    payload = {
        "create": create("new", ttl=60),
        "batch_create": {"memories": [create("one"), create("two")]},
        "update": {"memory_id": memory_id, "content": {"text": "changed"}, "ttl": 60},
        "delete": {"memory_id": memory_id},
        "bulk_delete": {"filter": {"tags": ["a"]}},
        "restore": {"memory_id": memory_id},
        "restore_operation": {"operation_id": operation_id},
        "create_session": {"user_id": "ann"},
        "end_session": {"summary": "done"},
        "relate": ends | {"strength": 0.5, "metadata": {"n": 1}},
        "unrelate": ends,
        "update_profile": {"user_id": "ann", "preferences": {"voice": "calm"}},
        "set_state": {"agent_id": "oven", "state": {"n": 1}, "ttl": 60},
    }[action]
    session_id = None if action == "create_session" else SESSION
    return request(action.removesuffix("_operation"), payload, session_id=session_id)


CHANGES = [
    "create",
    "batch_create",
    "update",
    "delete",
    "bulk_delete",
    "restore",
    "restore_operation",
    "create_session",
    "end_session",
    "relate",
    "unrelate",
    "update_profile",
    "set_state",
]
# Those that leave memories as they are.
BESIDE = ["create_session", "end_session", "relate", "unrelate", "update_profile", "set_state"]


@pytest.mark.parametrize("action", CHANGES)
class TestSentAgain:
    def test_in_one_batch_and_in_later_ones(self, wire, action):
        body = prepared(wire, action)
        first, *others = wire.answer([body] * 3)
        assert first["status"] == "success", first
        after = state()
        for _ in range(3):
            others += wire.answer([body, body])
        assert [reply["data"] for reply in others] == [first["data"]] * 8
        assert state() == after

    def test_whatever_has_happened_since(self, wire, action):
        body = prepared(wire, action)
        [first] = wire.answer([body])
        for memory in list(MemoryEntry.all_objects.all()):
            wire.send("update", {"memory_id": memory.id, "content": {"text": "since"}, "ttl": 9})
            wire.send("delete", {"memory_id": memory.id})
            wire.send("restore", {"memory_id": memory.id})
        wire.data("end_session", {"summary": "since"})
        after = state()
        [again] = wire.answer([body])
        assert again["data"] == first["data"]
        assert state() == after

    def test_with_its_payload_written_otherwise(self, wire, action):
        body = prepared(wire, action)
        [first] = wire.answer([body])
        after = state()
        fields = json.loads(body)
        fields["payload"] = dict(reversed(fields["payload"].items()))
        [again] = wire.answer([json.dumps(fields, indent=3).encode()])
        assert again["data"] == first["data"]
        assert state() == after

    @pytest.mark.parametrize("field", ["request_id", "timestamp", "payload"])
    def test_any_difference_makes_it_a_new_request(self, wire, action, field):
        body = json.loads(prepared(wire, action))
        wire.answer([json.dumps(body).encode()])
        after, keys = state(), RequestKey.objects.count()
        body[field] = {
            "request_id": "another",
            "timestamp": "2026-01-31T08:30:45.123457Z",
            "payload": body["payload"] | {"metadata": {"agent_id": "another"}},
        }[field]
        [reply] = wire.answer([json.dumps(body).encode()])
        if action == "delete":
            assert reply["error"]["code"] == "memory_not_found"
            assert state() == after
            return
        assert reply["status"] == "success"
        if action in ("create", "batch_create", "create_session", "end_session"):
            assert state() != after
        else:
            assert RequestKey.objects.count() == keys + 1


@pytest.mark.parametrize("action", CHANGES)
class TestWithTheDatabaseLost:
    """The backend dies before each statement in turn, and then before the commit."""

    def test_the_answer_is_right_and_the_change_made_once(self, committing_wire, action):
        for nth in count(1):
            death = _Death(before=nth)
            self.check(committing_wire, action, death)
            if death.statements < nth:
                break
        self.check(committing_wire, action, _Death(after=death.statements))

    def check(self, wire, action, death):
        body = prepared(wire, action)
        before = MemoryEntry.all_objects.count(), Revision.objects.count()
        with death, connection.execute_wrapper(death):
            [first] = wire.answer([body])
        assert first["status"] == "success", first
        [again] = wire.answer([body])
        assert again["data"] == first["data"]
        after = MemoryEntry.all_objects.count(), Revision.objects.count()
        assert after[0] - before[0] == {"create": 1, "batch_create": 2}.get(action, 0)
        if action in ("update", "delete", "restore"):
            assert after[1] - before[1] == 1


class _Death:
    """Ends the connection's backend, from another connection, at a statement by its number."""

    def __init__(self, before=0, after=0):
        self.before, self.after = before, after
        self.statements = 0

    def __enter__(self):
        self.other = other_connection()

    def __exit__(self, *_):
        self.other.close()

    def __call__(self, execute, *statement):
        self.statements += 1
        number = self.statements
        if number == self.before:
            self.terminate()
        result = execute(*statement)
        if number == self.after:
            self.terminate()
        return result

    def terminate(self):
        pid = connection.connection.info.backend_pid
        self.other.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])


class TestOfManyAtOnce:
    @pytest.mark.parametrize("action", CHANGES)
    def test_the_same_request_in_several_orchestrators(self, committing_wire, action):
        body = prepared(committing_wire, action)
        before = MemoryEntry.all_objects.count(), Revision.objects.count()
        replies = run_together([lambda: committing_wire.answer([body])[0]] * 4)
        assert [reply.get("data") for reply in replies] == [replies[0]["data"]] * 4
        made = {"create": (1, 0), "batch_create": (2, 0)}.get(
            action, (0, 0 if action in BESIDE else 1)
        )
        after = MemoryEntry.all_objects.count(), Revision.objects.count()
        assert (after[0] - before[0], after[1] - before[1]) == made


def test_errors_are_not_remembered(wire):
    memory_id = wire.create()
    wire.data("delete", {"memory_id": memory_id})
    body = request("update", {"memory_id": memory_id, "priority": 9})
    [refused] = wire.answer([body])
    assert refused["error"]["code"] == "memory_not_found"
    wire.data("restore", {"memory_id": memory_id})
    [done] = wire.answer([body])
    assert done["status"] == "success"


def test_the_same_request_id_in_another_session_is_another_request(wire):
    bodies = [
        request("create", create(), session_id=session_id, request_id="1")
        for session_id in (SESSION, "other")
    ]
    first, second = wire.answer(bodies)
    assert first["data"]["memory_id"] != second["data"]["memory_id"]


def test_every_digit_of_a_number_makes_a_difference(wire):
    body = request("create", create(), request_id="1")
    bodies = [
        body.replace(b'"hello"', number)
        for number in (b"1.0", b"1.00", b"12345678901234567890123", b"12345678901234567890124")
    ]
    ids = {reply["data"]["memory_id"] for reply in wire.answer(bodies)}
    assert len(ids) == 4
