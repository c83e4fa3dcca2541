"""Batches of changes: their order, their poison, what the database makes of them."""

import json
import re
from functools import partial
from threading import Event

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from memories.changes import rows
from memories.models import MemoryEntry, Revision
from memories.services import sessions
from tests.factories import NEVER_MADE, SESSION, create, request, run_together
from zmqbridge import jobs
from zmqbridge.patience import Patience

# A number that is valid JSON and that PostgreSQL's numeric cannot hold.
POISON = b"0." + b"1" * 20_000


VECTOR = re.compile(r"\.embedding\b")


def poisoned(action, payload):
    return request(action, payload).replace(b'"POISON"', POISON)


def statuses(replies):
    return [
        reply["error"]["code"] if reply["status"] == "error" else "success" for reply in replies
    ]


def raising(sqlstate):
    """A statement that the database itself refuses."""
    return f"DO $$ BEGIN RAISE EXCEPTION 'refused' USING ERRCODE = '{sqlstate}'; END $$"


def raise_once(sqlstate):
    """A wrapper that has the database refuse the third statement."""
    statements = []

    def wrapper(execute, sql, params, many, context):
        statements.append(sql)
        if len(statements) == 3:
            sql, params = raising(sqlstate), None
        return execute(sql, params, many, context)

    return wrapper


def refusing(what, sqlstate):
    """A wrapper that has the database refuse each statement that says this."""

    def wrapper(execute, sql, params, many, context):
        if what in sql + str(params):
            sql, params = raising(sqlstate), None
        return execute(sql, params, many, context)

    return wrapper


class TestOrder:
    def test_changes_to_one_memory_happen_as_they_arrived(self, wire):
        memory_id = wire.create("0")
        named = {"memory_id": memory_id}
        replies = wire.answer(
            [
                request("update", named | {"content": {"text": "1"}, "priority": 1}),
                request("update", named | {"content": {"text": "2"}}),
                request("delete", named),
                request("update", named | {"content": {"text": "3"}}),
                request("delete", named),
                request("restore", named),
                request("update", named | {"tags": ["last"]}),
            ]
        )
        assert statuses(replies) == [
            "success",
            "success",
            "success",
            "memory_not_found",
            "memory_not_found",
            "success",
            "success",
        ]
        kept = wire.data("read", named)
        assert (kept["content"], kept["priority"], kept["tags"]) == ({"text": "2"}, 1, ["last"])
        texts = [
            revision["content"]["text"] for revision in wire.data("history", named)["revisions"]
        ]
        assert texts == ["2", "2", "2", "1", "0"]

    def test_replies_stand_in_the_order_of_their_requests(self, wire):
        memory_id = wire.create()
        bodies = [
            request("read", {"memory_id": memory_id}, request_id="0"),
            request("create", create("new"), request_id="1"),
            request("nothing", request_id="2"),
            request("update", {"memory_id": memory_id, "priority": 1}, request_id="3"),
            b"no request",
            request("create", create("new"), request_id="5"),
            request("read", {"memory_id": NEVER_MADE}, request_id="6"),
        ]
        replies = wire.answer(bodies)
        ids = [reply["request_id"] for reply in replies]
        assert ids == ["0", "1", "2", "3", "unknown", "5", "6"]

    def test_turns_keep_their_order(self, wire):
        wire.answer([request("create", create(str(number))) for number in range(20)])
        wire.data("batch_create", {"memories": [create(str(number)) for number in range(20, 40)]})
        wire.create("40")
        order = wire.found(limit=100, sort={"order": "asc"})
        assert order == [str(number) for number in range(41)]


class TestPoison:
    @pytest.fixture(autouse=True)
    def lets_it_through(self, monkeypatch):
        """As if PostgreSQL refused something that nobody has thought of yet."""
        monkeypatch.setattr("memories.content.MAX_FRACTION_DIGITS", 1_000_000)

    def test_hurts_only_itself(self, committing_wire):
        memory_id = committing_wire.create("before")
        bodies = [request("create", create(str(number))) for number in range(6)]
        bodies[2] = poisoned("create", create(number="x") | {"content": {"n": "POISON"}})
        bodies.insert(4, poisoned("update", {"memory_id": memory_id, "content": {"n": "POISON"}}))
        bodies.append(request("update", {"memory_id": memory_id, "priority": 9}))
        replies = committing_wire.answer(bodies)
        expected = ["success"] * 8
        expected[2] = expected[4] = "validation_error"
        assert statuses(replies) == expected
        assert set(committing_wire.found()) == {"before", "0", "1", "3", "4", "5"}
        kept = committing_wire.data("read", {"memory_id": memory_id})
        assert kept["priority"] == 9
        assert Revision.objects.count() == 1

    def test_alone_is_refused_and_the_next_request_is_served(self, committing_wire):
        [reply] = committing_wire.answer(
            [poisoned("create", create() | {"content": {"n": "POISON"}})]
        )
        assert statuses([reply]) == ["validation_error"]
        assert reply["error"]["details"]["field"] == "payload"
        assert committing_wire.create()

    def test_in_a_batch_create_nothing_of_it_is_stored(self, committing_wire):
        members = [create("one"), create() | {"content": {"n": "POISON"}}, create("two")]
        replies = committing_wire.answer(
            [poisoned("batch_create", {"memories": members}), request("create", create("other"))]
        )
        assert statuses(replies) == ["validation_error", "success"]
        assert committing_wire.found() == ["other"]

    def test_an_invalid_member_of_a_batch_create_is_named(self, wire):
        members = [create(), create("x" * 10, priority=11), create()]
        error = wire.error("batch_create", {"memories": members})
        assert error["details"]["field"] == "payload.memories[1].priority"
        members = [create(), create() | {"content": {}}]
        error = wire.error("batch_create", {"memories": members})
        assert error["details"]["field"] == "payload.memories[1].content"
        assert wire.found() == []


class TestRefusal:
    """What the server refuses for a reason of its own it has rolled back: nobody need doubt."""

    def test_of_one_hurts_none_beside_it(self, committing_wire):
        with connection.execute_wrapper(refusing("READ ONLY", "25006")):
            replies = committing_wire.answer(
                [request("create", create(text)) for text in ("one", "READ ONLY", "two")]
            )
        assert statuses(replies) == ["success", "storage_error", "success"]
        assert "outcome" not in replies[1]["error"].get("details", {})
        assert set(committing_wire.found()) == {"one", "two"}

    def test_of_all_leaves_no_doubt(self, committing_wire):
        with connection.execute_wrapper(refusing("memory_entries", "53100")):
            replies = committing_wire.answer([request("create", create(str(n))) for n in range(3)])
        assert statuses(replies) == ["storage_error"] * 3
        for reply in replies:
            assert "outcome" not in reply["error"].get("details", {})

    def test_of_the_heartbeat_is_no_database_that_is_away(self, committing_wire, caplog):
        patience = Patience(0, Event())

        def report():
            rows(raising("25006"))

        jobs._beat(patience, report)
        assert not patience.away
        assert "could not be written" in caplog.text
        memory_id = committing_wire.create()
        assert committing_wire.data("read", {"memory_id": memory_id})


class TestRepeats:
    @pytest.mark.parametrize("sqlstate", ["40001", "40P01"])
    def test_what_the_database_asks_to_repeat_is_repeated(self, committing_wire, sqlstate):
        memory_id = committing_wire.create("before")
        bodies = [
            request("update", {"memory_id": memory_id, "priority": 9}),
            request("create", create("new")),
        ]
        with connection.execute_wrapper(raise_once(sqlstate)):
            replies = committing_wire.answer(bodies)
        assert statuses(replies) == ["success", "success"]
        assert Revision.objects.count() == 1
        assert MemoryEntry.objects.count() == 2

    def test_changes_from_several_orchestrators_are_all_made(self, committing_wire):
        ids = [committing_wire.create(str(number)) for number in range(3)]

        def change(start):
            for number in range(5):
                batch = [
                    request("update", {"memory_id": an_id, "tags": [str(number)]})
                    for an_id in ids[start:] + ids[:start]
                ]
                assert statuses(committing_wire.answer(batch)) == ["success"] * 3

        run_together([partial(change, start) for start in (0, 1, 2, 0)])
        assert set(MemoryEntry.objects.values_list("version", flat=True)) == {21}
        assert Revision.objects.count() == 60

    def test_a_session_that_was_erased_elsewhere_is_opened_again(self, committing_wire):
        committing_wire.create("old")
        MemoryEntry.all_objects.all().hard_delete()
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM sessions")
        assert committing_wire.create("new")
        assert committing_wire.found() == ["new"]


def test_a_content_at_every_limit_of_the_words_index(wire):
    """A tsvector holds 1 MB, a word of it 2 KB and a position 16383."""
    many = " ".join(f"w{number:x}" for number in range(100_000))
    for text in (many[:900_000], "x" * 900_000, "ab " * 250_000, "🙂 é" * 40_000, "'\\:*&|!<>()"):
        memory_id = wire.create(text)
        assert wire.data("read", {"memory_id": memory_id})["content"]["text"] == text
        body = json.dumps(text[: len(text) // 2])
        assert wire.data("update", {"memory_id": memory_id, "content": json.loads(body)})


class TestStatements:
    """A batch of 64 costs as many as a batch of one."""

    @pytest.fixture
    def ids(self, wire):
        return [wire.create(str(number), tags=["a"]) for number in range(64)]

    def count(self, wire, bodies, django_assert_max_num_queries, limit):
        with django_assert_max_num_queries(limit) as captured:
            replies = wire.answer(bodies)
        assert statuses(replies) == ["success"] * len(bodies)
        assert not [query["sql"] for query in captured if VECTOR.search(query["sql"])]
        return len(captured)

    @pytest.mark.parametrize(
        ("action", "limit"),
        [
            ("create", 1),
            ("batch_create", 1),
            ("read", 1),
            ("update", 6),
            ("delete", 6),
            ("batch_read", 2),
        ],
    )
    def test_do_not_grow_with_the_batch(
        self, wire, ids, action, limit, django_assert_max_num_queries
    ):
        sessions._owners.update(sessions.owners_of_sessions([SESSION]))  # as after a commit

        def body(number):
            named = {"memory_id": ids[number]}
            payload = {
                "create": create("new"),
                "batch_create": {"memories": [create("new")] * (number + 1)},
                "read": named,
                "update": named | {"content": {"text": "x"}},
                "delete": named,
                "batch_read": {"filter": {"tags": [str(number), "a"], "limit": 2}},
            }[action]
            return request(action, payload)

        counted = [
            self.count(wire, bodies, django_assert_max_num_queries, limit)
            for bodies in ([body(0)], [body(number) for number in range(1, 64)])
        ]
        assert counted[0] == counted[1]

    @pytest.mark.parametrize("kind", ["keyword", "hybrid"])
    def test_of_a_search_do_not_grow_with_what_it_finds(self, wire, trial, kind):
        """The search lane takes one at a time: there is no batch to grow with."""

        def count():
            asked = {"query": "alpha", "search_type": kind, "filters": {"limit": 100}}
            wire.data("search", asked)  # what is remembered of an owner is read once
            with CaptureQueriesContext(connection) as run:
                found = wire.data("search", asked)["results"]
            return len(found), len(run)

        for number in range(3):
            wire.create(f"alpha number{number}")
        few, statements = count()
        for number in range(60):
            wire.create(f"alpha number{number}")
        many, again = count()
        assert (few, many) == (3, 63)
        assert again <= statements <= 8
