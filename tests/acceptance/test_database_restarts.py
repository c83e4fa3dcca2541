import os
import re
import signal
import time
import urllib.request

import pytest

from .databases import EmbeddedServer
from .loads import Load
from .processes import wait_until
from .wire import create, new_name, page, read, request, update

# A request waits for the database that long; then it is refused, and the client asks again.
PATIENCE_SECONDS = 5
ANSWERED_WITHIN_SECONDS = PATIENCE_SECONDS + 4


@pytest.fixture
def embedded():
    """An embedded server of its own: its postmaster is killed."""
    server = EmbeddedServer()
    yield server
    server.remove()


def break_and_finish(peer, server, break_database):
    """Break the database amid a load. Every request is answered; then the load is finished."""
    load = Load(peer, server)
    peer.data(read(load.old_ids[0]))
    peer.send(*load.requests)
    load.take_replies(peer, 20)
    break_database()
    load.take_replies(peer, len(load.requests) - 20)
    wait_until(lambda: peer.ping() == "ok")
    load.finish(peer)
    load.check(peer)


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_a_restart_under_load_loses_and_repeats_nothing(own_server, start_on_own, connect, mode):
    peer = connect(start_on_own())
    break_and_finish(peer, own_server, lambda: own_server.restart(mode))


def test_a_killed_postmaster_under_load_loses_and_repeats_nothing(
    own_server, start_on_own, connect
):
    def kill_and_start():
        own_server.kill()
        own_server.start()

    break_and_finish(connect(start_on_own()), own_server, kill_and_start)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_the_embedded_server_is_started_again_under_load(embedded, start, connect, number):
    peer = connect(start(**embedded.settings))
    break_and_finish(peer, embedded, lambda: os.kill(embedded.postmaster(), number))


def test_while_the_database_is_away_nothing_hangs(own_server, start_on_own, connect):
    orchestrator = start_on_own(RECONNECT_SECONDS=PATIENCE_SECONDS)
    peer = connect(orchestrator)
    session = new_name("s")
    memory_id = peer.data(create(session, "before"))["memory_id"]
    assert peer.data(read(memory_id))["content"] == {"text": "before"}
    own_server.stop("immediate")
    try:
        wait_until(lambda: peer.ping() == "degraded", ANSWERED_WITHIN_SECONDS)
        asked = [
            create(session, "lost"),
            update(session, memory_id, "lost"),
            read(memory_id),
            request("batch_read", {"filter": {}}, session),
            request("search", {"query": "lost"}, session),
            request("bulk_delete", {"filter": {"memory_type": "conversation"}}, session),
            request("stats", {}, session),
            request("summarize", {}, session),
        ]
        replies = peer.exchange(asked, ANSWERED_WITHIN_SECONDS)
        codes = {reply["action"]: reply["error"]["code"] for reply in replies.values()}
        assert codes == {each["action"]: "storage_error" for each in asked}
        began = time.monotonic()
        assert peer.ask(create(session, "lost"))["error"]["code"] == "storage_error"
        assert time.monotonic() - began < PATIENCE_SECONDS  # known to be away: refused at once
        assert peer.ping() == "degraded"
    finally:
        own_server.start()
    wait_until(lambda: peer.ping() == "ok", ANSWERED_WITHIN_SECONDS)
    assert peer.data(create(session, "after"))
    assert peer.data(page(session))["total_count"] == 2


def test_a_database_that_hangs_counts_as_lost(own_server, start_on_own, connect):
    peer = connect(start_on_own(RECONNECT_SECONDS=1))
    session = new_name("s")
    memory_id = peer.data(create(session, "before"))["memory_id"]
    with own_server.frozen():
        wait_until(lambda: "database" in peer.ask(request("ping"))["problems"])
        for body in (create(session, "lost"), page(session)):
            began = time.monotonic()
            assert peer.ask(body)["error"]["code"] == "storage_error"
            assert time.monotonic() - began < 5
    wait_until(lambda: peer.ping() == "ok")
    assert peer.data(create(session, "after"))
    found = peer.data(page(session))["memories"]
    assert [memory["content"]["text"] for memory in found] == ["after", "before"]
    assert peer.data(read(memory_id))["content"] == {"text": "before"}


def test_a_stop_without_the_database_refuses_what_was_accepted(own_server, start_on_own, connect):
    orchestrator = start_on_own(RECONNECT_SECONDS=30, GRACE_SECONDS=2)
    peer = connect(orchestrator)
    own_server.stop("immediate")
    try:
        peer.send(*(create(new_name("s"), "lost") for _ in range(10)), request("ping"))
        assert peer.receive()["action"] == "ping"  # and so the ten are accepted
        code, seconds = orchestrator.stop()
    finally:
        own_server.start()
    assert code == 0
    assert seconds < 2 + 3
    codes = [reply["error"]["code"] for reply in peer.collect(10).values()]
    assert codes == ["storage_error"] * 10


def test_what_changed_unheard_is_not_read_from_the_cache(own_server, start_on_own, connect):
    """A change made while the listener was cut off, past every notification."""
    peer = connect(start_on_own())
    session = new_name("s")
    memory_id = peer.data(create(session, "before"))["memory_id"]
    assert peer.data(read(memory_id))["content"] == {"text": "before"}
    own_server.restart("fast")
    own_server.rows(
        'UPDATE memory_entries SET content = \'{"text": "after"}\' WHERE id = %s', memory_id
    )
    wait_until(lambda: peer.ping() == "ok")
    assert peer.data(read(memory_id))["content"] == {"text": "after"}


def test_a_long_absence_is_over_as_soon_as_the_database_is_back(own_server, start_on_own, connect):
    peer = connect(start_on_own(RECONNECT_SECONDS=0))
    own_server.stop("fast")
    try:
        for _ in range(20):
            reply = peer.ask(create(new_name("s"), "lost"), ANSWERED_WITHIN_SECONDS)
            assert reply["error"]["code"] == "storage_error"
        wait_until(lambda: peer.ping() == "degraded")
    finally:
        own_server.start()
    wait_until(lambda: peer.ping() == "ok", ANSWERED_WITHIN_SECONDS)
    assert peer.data(create(new_name("s"), "after"))


def test_a_clean_stop_after_a_restart_of_the_database_loses_no_access(
    own_server, start_on_own, connect
):
    orchestrator = start_on_own(ACCESS_LOG_FLUSH_SECONDS=600)
    peer = connect(orchestrator)
    memory_id = peer.data(create(new_name("s"), "read once"))["memory_id"]
    instance = peer.data(request("stats", {}, new_name("s")))["instance"]
    own_server.restart("fast")
    wait_until(lambda: peer.ping() == "ok")
    assert peer.data(read(memory_id))
    code, _ = orchestrator.stop()
    assert code == 0
    stopped = own_server.rows(
        "SELECT stopped_at IS NOT NULL FROM orchestrators WHERE instance = %s", instance
    )
    counted = own_server.rows(
        "SELECT accesses FROM access_log WHERE memory_id = %s AND action = 'read'", memory_id
    )
    assert (stopped, counted) == ([(True,)], [(1,)]), orchestrator.errors()


def test_who_waits_to_take_over_outlives_a_restart_of_the_database(
    own_server, start_on_own, connect
):
    old = start_on_own()
    settings = {"METRICS_BIND": "127.0.0.1:0"}
    new = start_on_own("--take-over", "60", "--bind", old.endpoint, ready=False, **settings)
    wait_until(lambda: "Warm." in new.errors(), 60)
    own_server.restart("fast")
    peer = connect(old)
    wait_until(lambda: peer.ping() == "ok")
    assert old.stop()[0] == 0
    peer = connect(new.wait_ready())
    wait_until(lambda: peer.ping() == "ok")
    assert peer.data(create(new_name("s"), "after"))
    wait_until(lambda: "Metrics are at" in new.errors())


def test_rows_are_still_counted_after_a_crash(own_server, start_on_own, connect):
    first = start_on_own()
    for number in range(5):
        connect(first).data(create(new_name("s"), str(number)))
    own_server.rows("ANALYZE memory_entries")
    assert first.stop()[0] == 0
    own_server.kill()
    own_server.start()
    second = start_on_own(METRICS_BIND="127.0.0.1:0")
    [url] = re.findall(r"Metrics are at (\S+)", wait_until(second.errors))
    with urllib.request.urlopen(url, timeout=10) as reply:
        told = reply.read().decode()
    [rows] = re.findall(r'^memories_table_rows{table="memory_entries"} (\S+)', told, re.M)
    assert float(rows) >= 5
