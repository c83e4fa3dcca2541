"""What each action answers, and which error it is where it cannot."""

import json
from datetime import UTC, date, datetime
from threading import Event

import pytest
from django.db import connection

from memories.ids import owner_of_user
from memories.models import AccessLog, MemoryEntry, Revision
from memories.services.access import Access, log_accesses
from memoryproject.postgres.errors import ServerCannotRun
from tests.factories import (
    NEVER_MADE,
    SESSION,
    Wire,
    create,
    make_answerer,
    request,
    trusted_cache,
)
from zmqbridge import jobs
from zmqbridge.accesses import Accesses
from zmqbridge.jobs import flush_accesses
from zmqbridge.patience import Patience
from zmqbridge.protocol import read_envelope


def refuse_selects(execute, sql, params, many, context):
    """The database's own refusal of a statement that reads."""
    if "memory_entries" in sql:
        sql, params = "SELECT 1 / 0", None
    return execute(sql, params, many, context)


def test_what_was_prepared_stands_beside_what_was_not(wire):
    bodies = [request("create", create(), request_id=name) for name in ("a", "b")]
    bodies.insert(1, request("create", {"content": {"text": "x"}}, request_id="wrong"))
    read = [read_envelope(body, datetime.now(UTC), 1 << 20) for body in bodies]
    asked = [wire.answerer.prepare(read[0]), wire.answerer.prepare(read[1]), read[2]]
    replies = [json.loads(reply) for reply in wire.answerer.answer(asked)]
    assert [(reply["request_id"], reply["status"]) for reply in replies] == [
        ("a", "success"),
        ("wrong", "error"),
        ("b", "success"),
    ]


class TestRead:
    def test_has_every_field_of_the_protocol(self, wire):
        payload = create("tea", tags=["b", "a", "b"], ttl=60, priority=7)
        payload["content"]["source_agent"] = "kitchen"
        stored = wire.data("create", payload)
        memory = wire.data("read", {"memory_id": stored["memory_id"]})
        assert memory.pop("expires_at").endswith("Z")
        assert memory == {
            "memory_id": stored["memory_id"],
            "session_id": SESSION,
            "memory_type": "conversation",
            "content": {"text": "tea", "source_agent": "kitchen"},
            "tags": ["b", "a"],
            "source_agent": "kitchen",
            "priority": 7,
            "created_at": stored["created_at"],
            "updated_at": stored["created_at"],
        }

    def test_defaults(self, wire):
        memory = wire.data("read", {"memory_id": wire.create()})
        assert (memory["priority"], memory["tags"]) == (5, [])
        assert memory["source_agent"] is memory["expires_at"] is None

    @pytest.mark.parametrize("action", ["read", "update", "delete", "history", "restore"])
    def test_of_what_is_not_there(self, wire, action):
        for memory_id in (NEVER_MADE, "x", "'; DROP TABLE memory_entries; --", "mem-" + "é" * 44):
            payload = {"memory_id": memory_id}
            if action == "update":
                payload["priority"] = 1
            assert wire.error(action, payload)["code"] == "memory_not_found"

    def test_reaches_across_sessions(self, wire):
        memory_id = wire.create(session_id="one")
        assert wire.data("read", {"memory_id": memory_id}, session_id="two")

    def test_fills_the_cache_which_a_change_empties(self, db):
        cache = trusted_cache()
        wire = Wire(make_answerer(cache))
        memory_id = wire.create("old", tags=["a"])
        for change, payload in (
            ("update", {"memory_id": memory_id, "priority": 1}),
            ("delete", {"memory_id": memory_id}),
            ("restore", {"memory_id": memory_id}),
            ("bulk_delete", {"filter": {"tags": ["a"]}}),
        ):
            wire.send("read", {"memory_id": memory_id})
            wire.data(change, payload)
            assert cache.get(memory_id) is None, change

    def test_absence_is_never_cached(self, db):
        cache = trusted_cache()
        Wire(make_answerer(cache)).error("read", {"memory_id": NEVER_MADE})
        assert cache.report()["entries"] == 0


class TestCreate:
    def test_of_what_was_said_earlier(self, wire):
        stored = wire.data("create", create(created_at="2026-01-31T10:30:00.000001+02:00"))
        assert stored["created_at"] == "2026-01-31T08:30:00.000001Z"

    @pytest.mark.parametrize("moment", ["2999-01-01T00:00:00Z", "soon", ""])
    def test_but_not_later_than_now(self, wire, moment):
        error = wire.error("create", create(created_at=moment))
        assert error["details"]["field"] == "payload.created_at"

    def test_null_counts_as_left_out(self, wire):
        nulls = dict.fromkeys(["tags", "ttl", "priority", "created_at", "metadata"])
        assert wire.create(**nulls)

    def test_members_of_a_batch_are_a_microsecond_apart(self, wire):
        data = wire.data("batch_create", {"memories": [create(str(n)) for n in range(3)]})
        times = [
            MemoryEntry.objects.get(id=memory_id).created_at for memory_id in data["memory_ids"]
        ]
        assert [(t - times[0]).microseconds for t in times] == [0, 1, 2]

    @pytest.mark.parametrize("memories", [[], None, [5], "x", {"0": create()}])
    def test_a_batch_has_members(self, wire, memories):
        error = wire.error("batch_create", {"memories": memories})
        assert error["code"] == "validation_error"
        assert error["details"]["field"].startswith("payload.memories")


class TestPages:
    def test_those_asked_for_together_share_their_bytes(self, wire, monkeypatch):
        monkeypatch.setattr("zmqbridge.handlers.reading._PAGES_BYTES", 8000)
        ids = [wire.create("x" * 1500) for _ in range(2)]
        for payload in ({"filter": {"memory_type": "conversation"}}, {"memory_ids": ids}):
            alone = wire.data("batch_read", payload)
            assert (len(alone["memories"]), alone["page_info"]["has_more"]) == (2, False)
            for reply in wire.answer([request("batch_read", payload) for _ in range(4)]):
                page = reply["data"]
                assert (len(page["memories"]), page["page_info"]["has_more"]) == (1, True)


class TestUpdate:
    @pytest.mark.parametrize("payload", [{}, {"content": None, "tags": None, "unknown": 1}])
    def test_names_something_to_change(self, wire, payload):
        error = wire.error("update", {"memory_id": wire.create()} | payload)
        assert error["details"]["field"] == "payload"

    def test_a_null_time_to_live_removes_the_expiry(self, wire):
        memory_id = wire.create(ttl=60)
        kept = wire.data("update", {"memory_id": memory_id, "priority": 1})
        assert kept["expires_at"]
        assert wire.data("update", {"memory_id": memory_id, "ttl": None})["expires_at"] is None

    def test_only_if_unchanged(self, wire):
        stored = wire.data("create", create())
        payload = {"memory_id": stored["memory_id"], "if_updated_at": stored["created_at"]}
        updated = wire.data("update", payload | {"priority": 1})
        error = wire.error("update", payload | {"priority": 2})
        assert error["code"] == "validation_error"
        assert error["details"]["updated_at"] == updated["updated_at"]


class TestBulkDelete:
    @pytest.mark.parametrize(
        "filter_",
        [
            {},
            {"scope": "session"},
            {"tags": []},
            {"tags": ["a"], "unknown": 1},
            {"tags": ["a"], "limit": 5},
            {"tags": ["a"], "older_than": ""},
            {"tags": ["a"], "older_than": "long ago"},
            {"memory_type": ""},
            None,
        ],
    )
    def test_a_filter_that_is_not_understood_deletes_nothing(self, wire, filter_):
        wire.create(tags=["a"])
        error = wire.error("bulk_delete", {"filter": filter_})
        assert error["code"] == "validation_error"
        assert error["details"]["field"].startswith("payload.filter")
        assert MemoryEntry.objects.count() == 1

    def test_scope_all_needs_a_permission(self, wire, settings):
        wire.create(tags=["a"], session_id="other")
        payload = {"filter": {"tags": ["a"], "scope": "all"}}
        assert wire.error("bulk_delete", payload)["code"] == "permission_denied"
        settings.BULK_DELETE_ALL_ALLOWED = True
        assert wire.data("bulk_delete", payload)["deleted_count"] == 1

    def test_older_than_is_exclusive_and_can_be_undone(self, wire):
        for minute in range(3):
            wire.create(str(minute), created_at=f"2026-01-31T08:0{minute}:00Z")
        data = wire.data("bulk_delete", {"filter": {"older_than": "2026-01-31T08:01:00Z"}})
        assert data["deleted_count"] == 1
        assert data["filter_applied"]["older_than"] == "2026-01-31T08:01:00Z"
        assert wire.found() == ["2", "1"]
        undone = wire.data("restore", {"operation_id": data["operation_id"]})
        assert undone == {"restored_count": 1}
        assert wire.found() == ["2", "1", "0"]


class TestBatchRead:
    def test_names_ids_or_a_filter(self, wire):
        assert wire.error("batch_read", {})["details"]["field"] == "payload.filter"
        assert wire.error("batch_read", {"memory_ids": []})["code"] == "validation_error"
        assert wire.data("batch_read", {"filter": {}})["page_info"]["limit"] == 10

    @pytest.mark.parametrize(
        ("filter_", "field"),
        [
            ({"limit": 0}, "limit"),
            ({"limit": 1001}, "limit"),
            ({"offset": -1}, "offset"),
            ({"sort": {"field": "content"}}, "sort.field"),
            ({"sort": {"order": "down"}}, "sort.order"),
            ({"time_range": {"start": ""}}, "time_range.start"),
            ({"time_range": {"end": "later"}}, "time_range.end"),
            ({"memory_types": [""]}, "memory_types[0]"),
        ],
    )
    def test_a_filter_that_is_not_understood(self, wire, filter_, field):
        error = wire.error("batch_read", {"filter": filter_})
        assert error["details"]["field"] == f"payload.filter.{field}"

    def test_tags_any_and_all(self, wire):
        wire.create("both", tags=["x", "y"])
        wire.create("one", tags=["x"])
        assert wire.found(tags=["x", "y"]) == ["one", "both"]
        assert wire.found(tags=["x", "y"], tags_match="all") == ["both"]


class TestRestore:
    @pytest.mark.parametrize("payload", [{}, {"memory_id": "a", "operation_id": "b"}])
    def test_names_one_thing(self, wire, payload):
        assert wire.error("restore", payload)["code"] == "validation_error"


class TestErrors:
    def test_a_statement_that_the_database_refuses_is_a_storage_error(self, committing_wire):
        memory_id = committing_wire.create()
        bodies = [request("read", {"memory_id": memory_id}) for _ in range(2)]
        with connection.execute_wrapper(refuse_selects):
            replies = committing_wire.answer(bodies)
        for reply in replies:
            assert reply["error"]["code"] == "storage_error"
            assert "division" not in reply["error"]["message"]
            assert "SELECT" not in str(reply)
        assert committing_wire.data("read", {"memory_id": memory_id})

    def test_a_summary_tells_the_time_asked_for_in_utc(self, wire):
        wire.create()
        asked = {"start": "2026-01-31T10:30:00+02:00", "end": "2026-02-01"}
        assert wire.data("summarize", {"time_range": asked})["time_range"] == {
            "start": "2026-01-31T08:30:00Z",
            "end": "2026-02-01T00:00:00Z",
        }

    def test_an_unknown_action(self, wire):
        assert wire.error("remember")["code"] == "invalid_request"

    def test_what_is_accessed_is_logged_with_the_acting_agent(self, db):
        accesses = Accesses()
        wire = Wire(make_answerer(accesses=accesses))
        memory_id = wire.create()
        agent = {"metadata": {"agent_id": "kitchen"}}
        wire.data("read", {"memory_id": memory_id} | agent)
        wire.data("batch_read", {"filter": {}} | agent)
        wire.data("update", {"memory_id": memory_id, "priority": 1} | agent)
        wire.send("read", {"memory_id": NEVER_MADE} | agent)
        flush_accesses(accesses)
        logged = AccessLog.objects.values_list("memory_id", "agent_id", "action")
        assert set(logged) == {
            (memory_id, "kitchen", action) for action in ("read", "batch_read", "update")
        }

    def test_what_is_about_no_memory_is_logged_with_its_owner(self, db):
        accesses = Accesses()
        wire = Wire(make_answerer(accesses=accesses))
        agent = {"metadata": {"agent_id": "kitchen"}}
        for session_id in ("one", "two"):
            wire.data("create_session", {"user_id": "ann"} | agent, session_id=session_id)
            wire.data("get_session", agent, session_id=session_id)
            wire.data("summarize", agent, session_id=session_id)
            state = {"agent_id": "clock"} | agent
            wire.data("set_state", state | {"state": {"a": 1}}, session_id=session_id)
            wire.data("get_state", state, session_id=session_id)
            wire.data("end_session", agent, session_id=session_id)
            wire.data("update_profile", {"user_id": "ann", "preferences": {"a": 1}} | agent)
            wire.data("get_profile", {"user_id": "ann"} | agent)
            wire.data("list_sessions", {"user_id": "ann"} | agent)
            wire.data("list_sessions", agent)  # of everyone: it has no owner
        wire.send("end_session", agent, session_id="unknown")
        flush_accesses(accesses)
        named = ("owner_id", "memory_id", "agent_id", "action", "accesses")
        assert set(AccessLog.objects.values_list(*named)) == {
            (owner_of_user("ann"), "", "kitchen", action, 2)
            for action in (
                "create_session",
                "get_session",
                "summarize",
                "set_state",
                "get_state",
                "end_session",
                "update_profile",
                "get_profile",
                "list_sessions",
            )
        }

    def test_ties_and_a_history_are_logged_with_their_memories(self, db):
        accesses = Accesses()
        wire = Wire(make_answerer(accesses=accesses))
        one, two = wire.create(), wire.create()
        tie = {"source_id": one, "target_id": two, "relationship_type": "after"}
        for action in ("relate", "unrelate"):
            wire.data(action, tie | {"metadata": {"agent_id": "kitchen"}})
        wire.data("history", {"memory_id": one, "metadata": {"agent_id": "kitchen"}})
        flush_accesses(accesses)
        logged = set(AccessLog.objects.values_list("memory_id", "agent_id", "action"))
        assert logged == {
            (one, "kitchen", "history"),
            *(
                (an_id, "kitchen", action)
                for an_id in (one, two)
                for action in ("relate", "unrelate")
            ),
        }


def test_an_owner_who_was_erased_meanwhile_is_not_logged(wire):
    access = Access("", "", "get_profile", date(2026, 1, 1), user_id="nobody")
    log_accesses({access: 1}, datetime.now(UTC))
    assert not AccessLog.objects.exists()


def test_a_bulk_delete_is_in_the_revisions_and_not_in_the_access_log(committing_wire):
    accesses = Accesses()
    wire = Wire(make_answerer(accesses=accesses))
    wire.create(tags=["a"])
    accesses.take()
    assert wire.data("bulk_delete", {"filter": {"tags": ["a"]}})["deleted_count"] == 1
    assert accesses.take() == {}
    assert Revision.objects.get().action == "bulk_delete"


def test_accesses_that_could_not_be_written_are_added_to_those_since():
    accesses = Accesses()
    accesses.note("read", "", ["a", "b"])
    taken = accesses.take()
    accesses.note("read", "", ["b"])
    accesses.put_back(taken)
    assert sorted(accesses.take().values()) == [1, 2]


class TestDatabaseThatCannotRun:
    """The embedded server says so by an error that is none of the database's."""

    def test_is_away(self, transactional_db):
        wire = Wire(make_answerer(patience_seconds=0))
        memory_id = wire.create()
        with connection.execute_wrapper(cannot_run):
            for action, payload in (("create", create()), ("read", {"memory_id": memory_id})):
                wire = Wire(make_answerer(patience_seconds=0))
                for _ in range(2):
                    error = wire.error(action, payload)
                    assert error["code"] == "storage_error"
                    assert "database" in error["message"]

    def test_is_seen_by_the_heartbeat(self):
        patience = Patience(0, Event())
        jobs._beat(patience, cannot_run)
        assert "no room" in patience.away


def cannot_run(*_):
    raise ServerCannotRun("There is no room for the cluster.")
