"""The server with real sockets; what its lanes answer is the test's own."""

import json
import time
from threading import Event, Thread

import pytest
import zmq

from tests.factories import SESSION, create, request, trusted_cache, wait_until
from zmqbridge.accesses import Accesses
from zmqbridge.config import ServerConfig
from zmqbridge.handlers import LaneName
from zmqbridge.lanes import Lane
from zmqbridge.latencies import Latencies
from zmqbridge.observer import Observer
from zmqbridge.protocol import encode_success
from zmqbridge.server import Server

MAX_BODY_BYTES = 4096


class Running:
    """A server whose lanes answer with what they were asked, once they are let."""

    def __init__(self, capacity=1000, answer_bytes=0, batch=1, **config):
        self.cache = trusted_cache()
        self.accesses = Accesses()
        self.latencies = Latencies()
        self.problems = {}
        self.database_hangs = False
        self.open = Event()
        self.open.set()
        self.padding = "x" * answer_bytes
        self.look_at = lambda requests: None
        self.server = Server(
            ServerConfig(("tcp://127.0.0.1:0",), max_body_bytes=MAX_BODY_BYTES, **config),
            cache=self.cache,
            accesses=self.accesses,
            observer=Observer(self.latencies),
            problems=lambda: self.problems,
            database_hangs=lambda: self.database_hangs,
        )
        self.lanes = {
            name: Lane(
                name,
                workers=1,
                capacity=capacity,
                batch=batch,
                answer=self._answer,
                deliver=self.server.deliver,
            )
            for name in LaneName
        }
        [self.endpoint] = self.server.bind()
        for lane in self.lanes.values():
            lane.start()
        self.server.start(self.lanes)

    def _answer(self, requests):
        assert self.open.wait(10)
        self.look_at(requests)
        return [
            encode_success(one.action, one.request_id, {"padding": self.padding})
            for one in requests
        ]

    def stop(self, seconds=10):
        self.open.set()
        self.server.stop_accepting()
        assert all(lane.close(time.monotonic() + 10) for lane in self.lanes.values())
        self.server.close(time.monotonic() + seconds)
        assert not self.server.thread.is_alive()


@pytest.fixture
def run():
    running = []

    def start(**options):
        running.append(Running(**options))
        return running[-1]

    yield start
    for one in running:
        one.stop()


@pytest.fixture
def connect():
    context = zmq.Context()
    sockets = []

    def connected(endpoint, kind=zmq.DEALER, receive_high_water=0):
        socket = context.socket(kind)
        socket.setsockopt(zmq.LINGER, 0)
        socket.setsockopt(zmq.SNDHWM, 0)
        socket.setsockopt(zmq.RCVHWM, receive_high_water)
        socket.setsockopt(zmq.RCVTIMEO, 10_000)
        if receive_high_water:
            socket.setsockopt(zmq.RCVBUF, 4096)
        socket.connect(endpoint)
        sockets.append(socket)
        return socket

    yield connected
    for socket in sockets:
        socket.close()
    context.term()


def ask(socket, body):
    socket.send(body)
    return json.loads(socket.recv())


class TestEnvelopes:
    @pytest.mark.parametrize(
        "envelope",
        [[], [b""], [b"", b""], [b"proxied", b"peer", b""], [b"x" * 300, b"\x00"]],
    )
    def test_every_frame_before_the_last_goes_back_unchanged(self, run, connect, envelope):
        peer = connect(run().endpoint)
        for body in (request("ping"), request("create", create()), b"nonsense"):
            peer.send_multipart([*envelope, body])
            *back, reply = peer.recv_multipart()
            assert back == envelope
            assert json.loads(reply)["status"]

    def test_a_req_socket_in_lockstep(self, run, connect):
        peer = connect(run().endpoint, zmq.REQ)
        for number in range(3):
            reply = ask(peer, request("create", create(), request_id=str(number)))
            assert reply["request_id"] == str(number)

    @pytest.mark.parametrize("envelope", [[b"x"] * 16, [b"x" * 5000], [b"x" * 4096, b""]])
    def test_one_that_no_proxies_make_is_refused_and_goes_back(self, run, connect, envelope):
        peer = connect(run().endpoint)
        peer.send_multipart([*envelope, request("create", create(), request_id="r-1")])
        *back, reply = peer.recv_multipart()
        assert back == envelope
        refused = json.loads(reply)
        assert (refused["request_id"], refused["error"]["code"]) == ("r-1", "invalid_request")
        assert ask(peer, request("ping"))["status"] == "ok"


class TestRefusals:
    def test_a_body_over_the_limit_gets_a_reply_and_keeps_the_connection(self, run, connect):
        peer = connect(run().endpoint)
        for size in (MAX_BODY_BYTES, 15 * MAX_BODY_BYTES):
            reply = ask(peer, request("create", create("x" * size), request_id="big"))
            assert reply["error"]["code"] == "validation_error"
            assert reply["request_id"] == "big"
        assert ask(peer, request("ping"))["status"] == "ok"

    @pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff", b"[" * 3_000, b"null"])
    def test_what_is_no_request(self, run, connect, body):
        reply = ask(connect(run().endpoint), body)
        assert reply["error"]["code"] == "invalid_request"
        assert reply["request_id"] == "unknown"

    def test_an_unknown_action_is_told_the_known_ones(self, run, connect):
        reply = ask(connect(run().endpoint), request("remember", request_id="1"))
        assert (reply["action"], reply["request_id"]) == ("remember", "1")
        assert reply["error"]["code"] == "invalid_request"
        assert "batch_create" in reply["error"]["message"]

    def test_actions_that_peers_make_up_do_not_fill_the_statistics(self, run, connect):
        running = run()
        peer = connect(running.endpoint)
        for number in range(50):
            ask(peer, request(f"made up {number}"))
        wait_until(lambda: running.latencies.report()["refused"]["errors"] == 50)
        assert running.latencies.report().keys() == {"refused"}

    def test_a_full_lane_answers_at_once(self, run, connect):
        running = run(capacity=2)
        running.open.clear()
        peer = connect(running.endpoint)
        for number in range(6):
            peer.send(request("create", create(), request_id=str(number)))
        refused = [json.loads(peer.recv()) for _ in range(3)]
        for reply in refused:
            assert reply["error"]["code"] == "rate_limit_exceeded"
            assert reply["error"]["details"]["retry_after"] > 0


class TestPings:
    def test_answer_while_every_lane_is_full(self, run, connect):
        running = run(capacity=1)
        running.open.clear()
        busy, peer = connect(running.endpoint), connect(running.endpoint)
        for action in ("create", "read", "search", "summarize", "bulk_delete") * 3:
            busy.send(request(action))
        for _ in range(3):
            busy.send(request("search", {"search_type": "keyword"}))
        wait_until(lambda: all(lane.report()["refused"] for lane in running.lanes.values()))
        for action in ("ping", "health", "health_check"):
            assert ask(peer, request(action))["status"] == "ok"

    @pytest.mark.parametrize(
        "body",
        [
            b'{"action":"ping"}',
            b'{"action":"ping","request_id":7,"session_id":[],"payload":"x","timestamp":{}}',
        ],
    )
    def test_need_no_other_field(self, run, connect, body):
        reply = ask(connect(run().endpoint), body)
        assert (reply["status"], reply["request_id"]) == ("ok", "unknown")
        assert "data" not in reply

    def test_tell_what_is_wrong(self, run, connect):
        running = run()
        running.problems = {"database": "away"}
        reply = ask(connect(running.endpoint), request("ping"))
        assert (reply["status"], reply["problems"]) == ("degraded", {"database": "away"})


class TestCachedReads:
    def test_are_answered_without_a_lane_and_noted(self, run, connect):
        running = run()
        running.open.clear()
        running.cache.fill(running.cache.mark(), "mem-1", b'{"memory_id":"mem-1"}', None)
        peer = connect(running.endpoint)
        payload = {"memory_id": "mem-1", "metadata": {"agent_id": "kitchen"}}
        assert ask(peer, request("read", payload))["data"] == {"memory_id": "mem-1"}
        [(access, times)] = running.accesses.take().items()
        assert (access.memory_id, access.agent_id, access.action) == ("mem-1", "kitchen", "read")
        assert times == 1

    @pytest.mark.parametrize(
        "payload",
        [{"memory_id": "mem-1", "fresh": True}, {"memory_id": "mem-2"}, {"memory_id": 5}, {}],
    )
    def test_everything_else_goes_to_the_lane(self, run, connect, payload):
        running = run()
        running.cache.fill(running.cache.mark(), "mem-1", b'{"memory_id":"mem-1"}', None)
        reply = ask(connect(running.endpoint), request("read", payload))
        assert reply["data"] == {"padding": ""}


class TestBulkChanges:
    def hold_a_bulk_delete(self, running, peer):
        """Returns its lane."""
        running.open.clear()
        bulk = running.lanes[LaneName.BULK]
        peer.send(request("bulk_delete"))
        wait_until(lambda: bulk.offered == 1 and not bulk.measure().depth)
        return bulk

    def test_are_not_overtaken_by_what_could_meet_them(self, run, connect):
        running = run()
        peer = connect(running.endpoint)
        bulk = self.hold_a_bulk_delete(running, peer)
        earlier = create(created_at="2026-01-01T00:00:00Z")
        for action, payload in [
            ("update", {}),
            ("restore", {"memory_id": "mem-1"}),
            ("create", earlier),
            ("batch_create", {"memories": [earlier] * 3}),
            ("create", create()),
            ("batch_read", {"filter": {"sort": {"field": "created_at"}}}),
            ("ping", {}),
        ]:
            peer.send(request(action, payload))
        assert json.loads(peer.recv())["action"] == "ping"
        assert bulk.offered == 5
        running.open.set()
        assert len([peer.recv() for _ in range(7)]) == 7
        assert ask(peer, request("update"))["status"] == "success"
        assert bulk.offered == 5

    def test_come_as_the_undoing_of_one_as_well(self, run, connect):
        running = run()
        peer = connect(running.endpoint)
        ask(peer, request("restore", {"operation_id": "op-1"}))
        assert running.lanes[LaneName.BULK].offered == 1

    def test_come_as_large_batches_that_nothing_waits_for(self, run, connect, monkeypatch):
        monkeypatch.setattr("zmqbridge.handlers.creating._LARGE_BATCH_BYTES", 1000)
        running = run()
        peer = connect(running.endpoint)
        running.open.clear()
        for action, payload in [
            ("batch_create", {"memories": [create("x" * 1000)]}),
            ("batch_create", {"memories": [create()]}),
            ("update", {}),
            ("bulk_delete", {}),
            ("ping", {}),
        ]:
            peer.send(request(action, payload))
        assert json.loads(peer.recv())["action"] == "ping"
        assert running.lanes[LaneName.BULK].offered == 2
        assert running.lanes[LaneName.WRITES].offered == 2

    def test_leave_those_behind_them_their_batches(self, run, connect):
        """Under a load that never ceases: some changes wait whenever others are answered."""
        running = run(batch=10)
        peer = connect(running.endpoint)
        bulk = self.hold_a_bulk_delete(running, peer)
        sizes = []
        is_over = Event()

        def wait_for_the_others(requests):
            if requests[0].action == "update":
                sizes.append(len(requests))
                wait_until(lambda: is_over.is_set() or bulk.measure().depth == 20 - len(requests))

        running.look_at = wait_for_the_others
        for _ in range(10):
            peer.send(request("update"))
        wait_until(lambda: bulk.measure().depth == 10)
        running.open.set()
        assert json.loads(peer.recv())["action"] == "bulk_delete"
        for _ in range(10):
            peer.send(request("update"))
        for _ in range(200):
            peer.recv()
            peer.send(request("update"))
        is_over.set()
        for _ in range(20):
            peer.recv()
        assert sizes[:20] == [10] * 20
        assert running.lanes[LaneName.WRITES].answered == 0


class TestSlowReaders:
    def test_lose_nothing_within_the_bound(self, run, connect):
        running = run(capacity=5000, answer_bytes=2000)
        peer = connect(running.endpoint, receive_high_water=2)
        other = connect(running.endpoint)
        for number in range(3000):
            peer.send(request("create", create(), request_id=str(number)))
        wait_until(lambda: running.lanes[LaneName.WRITES].answered == 3000, seconds=30)
        wait_until(lambda: running.server.outbox.report()["waiting"] > 0)
        assert ask(other, request("ping"))["status"] == "ok"
        got = [json.loads(peer.recv())["request_id"] for _ in range(3000)]
        assert got == [str(number) for number in range(3000)]
        assert running.server.outbox.report()["waiting"] == 0

    def test_are_read_no_more_beyond_it_and_served_when_they_catch_up(self, run, connect):
        running = run(capacity=50_000, answer_bytes=2000, outbox_replies=500)
        peer = connect(running.endpoint, receive_high_water=2)
        outbox = running.server.outbox
        sent = 0

        def taken_in():
            report = outbox.report()
            return sum(report[part] for part in ("sent", "waiting", "parked_requests"))

        while not outbox.report()["parked_requests"]:
            for number in range(sent, sent + 50):
                peer.send(request("create", create(), request_id=str(number)))
            sent += 50
            wait_until(lambda sent=sent: taken_in() == sent)
        got = {json.loads(peer.recv())["request_id"] for _ in range(sent)}
        assert len(got) == sent
        assert outbox.report()["dropped_requests"] == 0

    def test_have_no_more_kept_for_them_than_is_allowed(self, run, connect):
        running = run(capacity=5000, answer_bytes=20_000, outbox_bytes=1 << 20)
        running.open.clear()
        peer = connect(running.endpoint, receive_high_water=2)
        reads = running.lanes[LaneName.READS]
        for number in range(2000):
            peer.send(request("batch_read", request_id=str(number)))
        wait_until(lambda: reads.offered == 2000)
        running.open.set()
        wait_until(lambda: reads.answered == 2000, seconds=30)
        wait_until(lambda: not running.server._ready)
        [waiting] = running.server.outbox._peers.values()
        assert waiting.reply_bytes < 2 << 20
        replies = [json.loads(peer.recv()) for _ in range(2000)]
        assert {reply["request_id"] for reply in replies} == set(map(str, range(2000)))
        refused = [reply["error"]["code"] for reply in replies if reply["status"] == "error"]
        assert set(refused) == {"rate_limit_exceeded"}

    def test_that_go_away_are_forgotten(self, run, connect):
        running = run(capacity=5000, answer_bytes=2000)
        peer = connect(running.endpoint, receive_high_water=2)
        for number in range(3000):
            peer.send(request("create", create(), request_id=str(number)))
        wait_until(lambda: running.server.outbox.report()["waiting"] > 0, seconds=30)
        peer.close()
        wait_until(lambda: not running.server.outbox, seconds=10)
        assert running.server.outbox.report()["peers_gone"] > 0


class TestStopping:
    def test_answers_what_was_accepted(self, run, connect):
        running = run()
        running.open.clear()
        peer = connect(running.endpoint)
        for number in range(20):
            peer.send(request("create", create(), request_id=str(number)))
        writes = running.lanes[LaneName.WRITES]
        wait_until(lambda: writes.offered == 20)
        running.server.stop_accepting()
        running.open.set()
        got = {json.loads(peer.recv())["request_id"] for _ in range(20)}
        assert got == {str(number) for number in range(20)}

    def test_goes_on_sending_to_who_still_reads(self, run, connect):
        running = run(capacity=5000, answer_bytes=2000)
        peer = connect(running.endpoint, receive_high_water=2)
        for number in range(3000):
            peer.send(request("create", create(), request_id=str(number)))
        wait_until(lambda: running.lanes[LaneName.WRITES].answered == 3000, seconds=30)
        wait_until(lambda: running.server.outbox.report()["waiting"] > 0)
        stopping = Thread(target=running.stop)
        stopping.start()
        got = [json.loads(peer.recv())["request_id"] for _ in range(3000)]
        assert got == [str(number) for number in range(3000)]
        stopping.join(10)

    def test_does_not_wait_longer_for_who_reads_nothing(self, run, connect, caplog):
        running = run(capacity=5000, answer_bytes=2000)
        peer = connect(running.endpoint, receive_high_water=2)
        for number in range(3000):
            peer.send(request("create", create(), request_id=str(number)))
        wait_until(lambda: running.server.outbox.report()["waiting"] > 0, seconds=30)
        running.stop(seconds=0)
        assert "replies are lost" in caplog.text

    def test_an_endpoint_by_path(self, run, connect, tmp_path):
        endpoint = f"ipc://{tmp_path}/made/on/the/way.sock"
        server = Server(
            ServerConfig((endpoint, "tcp://127.0.0.1:0")),
            cache=trusted_cache(),
            accesses=Accesses(),
            observer=Observer(Latencies()),
            problems=dict,
            database_hangs=bool,
        )
        bound = server.bind()
        server.start({})
        assert bound[0] == endpoint
        for one in bound:
            assert ask(connect(one), request("ping", session_id=SESSION))["status"] == "ok"
        server.close(time.monotonic() + 5)
