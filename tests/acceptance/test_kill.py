import pytest

from .loads import Load


@pytest.mark.parametrize("answers_before_the_kill", [1, 300])
def test_a_killed_orchestrator_loses_and_repeats_nothing(
    server, start, connect, answers_before_the_kill
):
    killed = start()
    peer = connect(killed)
    load = Load(peer, server)
    peer.send(*load.requests)
    load.take_replies(peer, answers_before_the_kill)
    killed.kill()
    load.take_what_comes(peer)
    assert load.unanswered
    next_peer = connect(start())
    load.finish(next_peer)
    load.check(next_peer)
