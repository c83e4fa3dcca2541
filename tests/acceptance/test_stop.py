import signal
from contextlib import suppress

import pytest

from .loads import Load
from .processes import wait_until
from .wire import NoReply, create, new_name, page

GRACE_SECONDS = 10
# What a stop may need beyond the grace period: the interpreter's own end, on a busy machine.
SLACK_SECONDS = 8


def reads_no_more(peer):
    try:
        peer.ping(seconds=0.3)
    except NoReply:
        return True
    return False


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_answers_what_was_accepted(server, start, connect, number):
    stopping = start(GRACE_SECONDS=GRACE_SECONDS)
    peer = connect(stopping)
    load = Load(peer, server)
    peer.send(*load.requests)
    load.take_replies(peer, 10)
    code, seconds = stopping.stop(number)
    load.take_what_comes(peer)
    assert code == 0
    assert seconds < GRACE_SECONDS
    next_peer = connect(start())
    load.finish(next_peer)
    load.check(next_peer)


def test_every_request_that_was_carried_out_is_answered(server, start, connect):
    """A stop amid a load: who got no reply finds that nothing was stored."""
    stopping = start()
    peer, session = connect(stopping), new_name("s")
    peer.send(*(create(session, f"turn {number}") for number in range(3000)))
    answers = [peer.receive()]
    code, _ = stopping.stop()
    assert code == 0
    with suppress(NoReply):
        while True:
            answers.append(peer.receive(1))
    stored = server.rows("SELECT id FROM memory_entries WHERE session_id = %s", session)
    refusals = {answer["error"]["code"] for answer in answers if answer["status"] == "error"}
    assert refusals <= {"rate_limit_exceeded"}
    made = {answer["data"]["memory_id"] for answer in answers if answer["status"] == "success"}
    assert made == {row[0] for row in stored}


def test_the_grace_period_bounds_the_stop(server, start, connect):
    stopping = start(GRACE_SECONDS=1)
    peer, session = connect(stopping), new_name("s")
    with server.hold_memories():
        peer.send(create(session, "waits for the lock"))
        assert peer.ping() == "ok"
        code, seconds = stopping.stop()
    assert code not in (0, None)
    assert 1 <= seconds < 1 + SLACK_SECONDS
    assert "grace period" in stopping.errors()


def test_the_second_signal_forces(server, start, connect):
    stopping = start(GRACE_SECONDS=60)
    peer, session = connect(stopping), new_name("s")
    with server.hold_memories():
        peer.send(create(session, "waits for the lock"))
        assert peer.ping() == "ok"
        stopping.process.send_signal(signal.SIGTERM)
        wait_until(lambda: reads_no_more(peer))
        assert stopping.process.poll() is None
        code, seconds = stopping.stop()
    assert code not in (0, None)
    assert seconds < SLACK_SECONDS


def test_an_idle_orchestrator_stops_at_once(start, connect):
    stopping = start()
    assert connect(stopping).data(page(new_name("s")))["total_count"] == 0
    code, seconds = stopping.stop()
    assert code == 0
    assert seconds < SLACK_SECONDS
