"""All parts together in one process, on a real socket and a real database."""

import json
import threading
import time
from contextlib import contextmanager
from dataclasses import replace
from threading import Event

import pytest
import zmq
from django.conf import settings

from memories.models import AccessLog
from memories.models import Orchestrator as Row
from tests.factories import Peer, create, other_connection, request, wait_until
from zmqbridge.config import read_config
from zmqbridge.handlers import LaneName
from zmqbridge.orchestrator import Orchestrator

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def start():
    parts = []

    def started(**options):
        config = replace(read_config(settings, ("tcp://127.0.0.1:0",)), **options)
        orchestrator = Orchestrator(config)
        [endpoint] = orchestrator.start()
        peer = Peer(endpoint)
        parts.append((orchestrator, peer))
        return orchestrator, peer

    yield started
    for orchestrator, peer in parts:
        peer.close()
        if not orchestrator.dead_threads():
            assert orchestrator.stop()


def test_a_change_is_seen_by_every_later_request(start):
    _, peer = start()
    memory_id = peer.ask("create", create("0"))["data"]["memory_id"]
    for number in range(1, 50):
        named = {"memory_id": memory_id}
        assert peer.ask("read", named)["data"]["content"]["text"] == str(number - 1)
        assert peer.ask("read", named)["data"]["content"]["text"] == str(number - 1)
        peer.ask("update", named | {"content": {"text": str(number)}})
    assert peer.ask("stats")["data"]["cache"]["hits"] > 0


def test_a_memory_that_somebody_holds_for_long_holds_up_nobody_else(start, monkeypatch):
    monkeypatch.setattr("zmqbridge.orchestrator._LOCK_SECONDS", 0.3)
    (_, one), (_, two) = start(), start()
    held, free = (one.ask("create", create(text))["data"]["memory_id"] for text in ("a", "b"))
    with other_connection() as other, other.transaction():
        other.execute("SELECT 1 FROM memory_entries WHERE id = %s FOR UPDATE", [held])
        one.send("update", {"memory_id": held, "priority": 9}, request_id="held")
        one.send("update", {"memory_id": free, "priority": 9}, request_id="free")
        one.send("create", create("c"), request_id="new")
        replies = {reply["request_id"]: reply for reply in (one.receive() for _ in range(3))}
        assert [replies[name]["status"] for name in ("held", "free", "new")] == [
            "error",
            "success",
            "success",
        ]
        assert replies["held"]["error"]["code"] == "storage_error"
        assert "nothing of the request was stored" in replies["held"]["error"]["message"]
    changed = {"memory_id": held, "priority": 9}
    assert one.ask("update", changed, request_id="held")["status"] == "success"
    assert two.ask("read", {"memory_id": free})["data"]["priority"] == 9


def test_a_change_elsewhere_is_heard(start):
    (_, one), (_, two) = start(), start()
    named = {"memory_id": one.ask("create", create("old"))["data"]["memory_id"]}
    for _ in range(2):
        assert two.ask("read", named)["data"]["content"]["text"] == "old"
    one.ask("update", named | {"content": {"text": "new"}})
    fresh = two.ask("read", named | {"fresh": True})
    assert fresh["data"]["content"]["text"] == "new"
    wait_until(lambda: two.ask("read", named)["data"]["content"]["text"] == "new")
    one.ask("delete", named)
    wait_until(lambda: two.ask("read", named)["status"] == "error")


def test_expiry_is_to_the_moment_through_the_cache(start):
    _, peer = start()
    named = {"memory_id": peer.ask("create", create(ttl=3))["data"]["memory_id"]}
    reply = peer.ask("read", named)
    expires_at = reply["data"]["expires_at"]
    deadline = time.monotonic() + 20
    while reply["status"] == "success":
        assert time.monotonic() < deadline
        reply = peer.ask("read", named)
    assert reply["error"]["code"] == "memory_not_found"
    assert reply["timestamp"] >= expires_at


def test_it_tells_of_itself_and_says_goodbye(start):
    orchestrator, peer = start()
    assert peer.ask("ping")["status"] == "ok"
    memory_id = peer.ask("create", create())["data"]["memory_id"]
    for _ in range(3):
        peer.ask("read", {"memory_id": memory_id})
    told = peer.ask("stats")["data"]
    assert told["instance"] == orchestrator.instance
    assert told["counts"]["memory_entries"] == 1
    assert told["latencies"]["create"]["count"] == 1
    wait_until(lambda: orchestrator.report()["lanes"]["writes"]["answered"] == 1)
    assert orchestrator.dead_threads() == []
    assert orchestrator.stop()
    row = Row.objects.get(instance=orchestrator.instance)
    assert row.stopped_at
    assert sum(AccessLog.objects.filter(action="read").values_list("accesses", flat=True)) == 3
    assert "server" in orchestrator.dead_threads()


@contextmanager
def held_bulk_delete(orchestrator, peer):
    """One that waits for a lock as long as this is entered; gives its lane."""
    bulk = orchestrator._lanes[LaneName.BULK]
    peer.ask("create", create(tags=["gone"]))
    with other_connection() as other, other.transaction():
        other.execute("LOCK TABLE memory_entries IN EXCLUSIVE MODE")
        peer._socket.send(request("bulk_delete", {"filter": {"tags": ["gone"]}}))
        wait_until(lambda: bulk.offered == 1 and not bulk.measure().depth)
        yield bulk


def test_changes_behind_a_bulk_delete_share_a_transaction(start):
    orchestrator, peer = start()
    made = peer.ask("batch_create", {"memories": [create()] * 50})["data"]["memory_ids"]
    with held_bulk_delete(orchestrator, peer) as bulk:
        for memory_id in made:
            peer._socket.send(request("update", {"memory_id": memory_id, "priority": 9}))
        wait_until(lambda: bulk.measure().depth == 50)
    assert {json.loads(peer._socket.recv())["status"] for _ in range(51)} == {"success"}
    wait_until(lambda: bulk.answered == 51)
    assert sum(bulk.measure().batches) == 2


def test_a_bulk_delete_takes_what_came_before_it_in_a_large_batch(start):
    _, peer = start()
    large = {"memories": [create("x" * 300, tags=["gone"])] * 500}
    peer._socket.send(request("batch_create", large))
    peer._socket.send(request("bulk_delete", {"filter": {"tags": ["gone"]}}))
    replies = [json.loads(peer._socket.recv()) for _ in range(2)]
    [deleted] = [each for each in replies if each["action"] == "bulk_delete"]
    assert deleted["data"]["deleted_count"] == 500


def test_a_bulk_delete_leaves_what_was_said_earlier_and_came_later(start):
    orchestrator, peer = start()
    earlier = create("kept", tags=["gone"], created_at="2026-01-01T00:00:00Z")
    with held_bulk_delete(orchestrator, peer):
        peer._socket.send(request("create", earlier))
        assert peer.ask("ping")["action"] == "ping"  # it has arrived
    for _ in range(2):
        assert json.loads(peer._socket.recv())["status"] == "success"
    page = peer.ask("batch_read", {"filter": {"tags": ["gone"]}})["data"]
    assert [memory["content"]["text"] for memory in page["memories"]] == ["kept"]


def test_a_database_that_hangs_does_not_hold_up_its_end(start, caplog):
    orchestrator, peer = start(grace_seconds=1)
    named = {"memory_id": peer.ask("create", create())["data"]["memory_id"]}
    with other_connection() as other, other.transaction():
        other.execute("LOCK TABLE orchestrators IN ACCESS EXCLUSIVE MODE")
        assert peer.ask("read", named)["status"] == "success"
        began = time.monotonic()
        assert orchestrator.stop()
        assert time.monotonic() - began < 10
        assert "the database hangs" in caplog.text
    hung = {"goodbye", "heartbeat"}
    wait_until(lambda: hung.isdisjoint(thread.name for thread in threading.enumerate()))


def test_lanes_and_database_together_under_a_burst(start):
    _, peer = start()
    bodies = [request("create", create(str(n)), request_id=str(n)) for n in range(500)]
    for body in bodies:
        peer._socket.send(body)
    got = [json.loads(peer._socket.recv()) for _ in bodies]
    assert {reply["status"] for reply in got} == {"success"}
    assert len({reply["data"]["memory_id"] for reply in got}) == 500
    page = peer.ask("batch_read", {"filter": {"limit": 1000, "sort": {"order": "asc"}}})
    texts = [memory["content"]["text"] for memory in page["data"]["memories"]]
    assert texts == [str(number) for number in range(500)]


def test_an_embedder_that_hangs_holds_up_only_what_needs_it(transactional_db, trial, start):
    orchestrator, peer = start()
    endpoint = peer.endpoint
    named = {"memory_id": peer.ask("create", create("alpha"))["data"]["memory_id"]}
    go_on = Event()
    trial.before_query = lambda _: go_on.wait(30)
    sent = [request("search", {"query": "alpha"}) for _ in range(6)]
    with zmq.Context() as context, context.socket(zmq.DEALER) as other:
        other.connect(endpoint)
        for body in sent:
            other.send(body)
        wait_until(lambda: orchestrator.report()["lanes"]["search"]["depth"] == 4)
        by_words = {"query": "alpha", "search_type": "keyword"}
        for action, payload in (
            ("search", by_words),
            ("read", named),
            ("batch_read", {"filter": {}}),
        ):
            start_seconds = time.monotonic()
            assert peer.ask(action, payload)["status"] == "success"
            assert time.monotonic() - start_seconds < 1, action
        go_on.set()
        answers = [json.loads(other.recv()) for _ in sent]
    assert {answer["status"] for answer in answers} == {"success"}
