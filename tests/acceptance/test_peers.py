"""Every kind of peer works, and none disturbs the others."""

import threading
import time

import pytest
import zmq

from .processes import wait_until
from .wire import create, new_name, read, request


@pytest.fixture
def proxied(orchestrator):
    """An endpoint behind which a zmq.proxy leads to the orchestrator."""
    context = zmq.Context()
    front, back = context.socket(zmq.ROUTER), context.socket(zmq.DEALER)
    endpoint = f"tcp://127.0.0.1:{front.bind_to_random_port('tcp://127.0.0.1')}"
    back.connect(orchestrator.endpoint)
    steering = f"inproc://{new_name('steering')}"
    control, remote = context.socket(zmq.PAIR), context.socket(zmq.PAIR)
    control.bind(steering)
    remote.connect(steering)
    sockets = (front, back, None, control)
    thread = threading.Thread(target=zmq.proxy_steerable, args=sockets)
    thread.start()
    yield endpoint
    remote.send(b"TERMINATE")
    thread.join(10)
    context.destroy(linger=0)


def takes_part(peer):
    made = peer.data(create(new_name("s"), "hello"))
    return peer.data(read(made["memory_id"]))["content"] == {"text": "hello"}


@pytest.mark.parametrize(
    "options",
    [
        {"kind": zmq.REQ},
        {"delimiter": ()},
        {"delimiter": (b"",)},
        {"delimiter": (b"ticket 7", b"")},
    ],
)
def test_a_peer_of_any_kind_takes_part(connect, orchestrator, options):
    assert takes_part(connect(orchestrator, **options))


@pytest.mark.parametrize("options", [{"kind": zmq.REQ}, {"delimiter": ()}, {}])
def test_proxied_peers_take_part_each_with_its_own_replies(connect, proxied, options):
    peers = [connect(proxied, **options) for _ in range(3)]
    asked = [create(new_name("s"), "hello") for _ in peers]
    for peer, each in zip(peers, asked, strict=True):
        peer.send(each)
    for peer, each in reversed(list(zip(peers, asked, strict=True))):
        assert peer.receive()["request_id"] == each["request_id"]
    assert all(takes_part(peer) for peer in peers)


REQUESTS = 20_000


def median_seconds(peer, memory_id, count=200):
    seconds = []
    for _ in range(count):
        began = time.perf_counter()
        peer.data(read(memory_id))
        seconds.append(time.perf_counter() - began)
    return sorted(seconds)[count // 2]


def test_a_slow_reader_loses_no_reply_and_delays_nobody(start, connect):
    orchestrator = start()
    other = connect(orchestrator)
    # Small buffers on the way, so that its replies pile up in the orchestrator.
    slow = connect(orchestrator, RCVHWM=10, RCVBUF=4096)
    memory_id = other.data(create(new_name("s"), "x" * 1000))["memory_id"]
    alone = median_seconds(other, memory_id)
    asked = [read(memory_id) for _ in range(REQUESTS)]
    slow.send(*asked)
    beside = median_seconds(other, memory_id)
    wait_until(lambda: other.data(request("stats", {}, "any"))["outbox"]["waiting"] > 0)
    assert beside < max(20 * alone, 0.5)
    assert other.ping() == "ok"
    replies = slow.collect(REQUESTS, seconds=60)
    assert replies.keys() == {each["request_id"] for each in asked}
    assert {reply["status"] for reply in replies.values()} == {"success"}


def test_a_peer_that_leaves_before_its_replies_disturbs_nobody(start, connect):
    orchestrator = start()
    other, session = connect(orchestrator), new_name("s")
    for _ in range(5):
        leaving = connect(orchestrator)
        leaving.send(*(create(session, "left behind") for _ in range(200)))
        leaving.receive()
        leaving.close()
    assert takes_part(other)
    assert other.ping() == "ok"


def test_a_full_lane_refuses_at_once_and_still_answers_pings(server, start, connect):
    orchestrator = start(LANE_CAPACITY=5, WRITE_BATCH=1)
    peer, session = connect(orchestrator), new_name("s")
    asked = [create(session, f"turn {number}") for number in range(500)]
    with server.hold_memories():
        peer.send(*asked)
        refused = peer.collect(len(asked) - 10)
        assert connect(orchestrator).ping() == "ok"
    replies = refused | peer.collect(10)
    failed = [reply["error"] for reply in replies.values() if reply["status"] == "error"]
    assert len(failed) >= len(asked) - 10
    assert {error["code"] for error in failed} == {"rate_limit_exceeded"}
    assert all(error["details"]["retry_after"] > 0 for error in failed)
    again = [each for each in asked if replies[each["request_id"]]["status"] == "error"]
    while again:
        replies = peer.exchange(again[:5])
        again = again[5:]
        assert {reply["status"] for reply in replies.values()} == {"success"}
    stored = server.rows("SELECT count(*) FROM memory_entries WHERE session_id = %s", session)
    assert stored == [(len(asked),)]
