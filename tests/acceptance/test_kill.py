import pytest

from .loads import Load

# Requests that arrive while nothing can be written, so that some are unanswered in any case.
HELD = 50


@pytest.mark.parametrize("answers_before_the_kill", [1, 300])
def test_a_killed_orchestrator_loses_and_repeats_nothing(
    server, start, connect, answers_before_the_kill
):
    killed = start()
    peer = connect(killed)
    load = Load(peer, server)
    sooner, later = load.requests[:-HELD], load.requests[-HELD:]
    peer.send(*sooner)
    load.take_replies(peer, answers_before_the_kill)
    with server.hold_memories():
        peer.send(*later)
        killed.kill()
    load.take_what_comes(peer)
    assert load.unanswered
    next_peer = connect(start())
    load.finish(next_peer)
    load.check(next_peer)
