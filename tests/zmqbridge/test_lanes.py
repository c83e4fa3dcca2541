import time
from threading import Event

import pytest

from tests.factories import wait_until
from zmqbridge.lanes import Lane
from zmqbridge.protocol import Request


def a_request(number):
    return Request("create", str(number), "s", b"{}", "", None)


class Desk:
    """Answers a batch when it is let, and keeps what it saw."""

    def __init__(self):
        self.batches = []
        self.replies = []
        self.open = Event()
        self.open.set()

    def answer(self, requests):
        self.batches.append([request.request_id for request in requests])
        assert self.open.wait(10)
        return [request.request_id.encode() for request in requests]

    def deliver(self, replies):
        self.replies += [(reply.route, reply.body) for reply in replies]

    def bodies(self):
        return [body for _, body in self.replies]


@pytest.fixture
def desk():
    desk = Desk()
    yield desk
    desk.open.set()


def make_lane(desk, workers=1, capacity=100, batch=10, **options):
    lane = Lane(
        "lane",
        workers=workers,
        capacity=capacity,
        batch=batch,
        answer=desk.answer,
        deliver=desk.deliver,
        **options,
    )
    lane.start()
    return lane


def offer(lane, *numbers):
    return [lane.offer((b"peer",), a_request(number), time.monotonic()) for number in numbers]


def hold(lane, desk):
    """The only worker is busy with request 0."""
    desk.open.clear()
    offer(lane, 0)
    wait_until(lambda: desk.batches == [["0"]])


def close(lane, seconds=10):
    return lane.close(time.monotonic() + seconds)


def test_batches_grow_by_what_waits_up_to_the_limit(desk):
    lane = make_lane(desk, batch=3)
    hold(lane, desk)
    offer(lane, *range(1, 8))
    desk.open.set()
    assert close(lane)
    assert desk.batches == [["0"], ["1", "2", "3"], ["4", "5", "6"], ["7"]]
    assert desk.bodies() == [b"%d" % number for number in range(8)]
    assert lane.report() == {"depth": 0, "answered": 8, "refused": 0, "mean_batch": 2.0}


def test_a_batch_of_many_bytes_takes_no_more(desk, monkeypatch):
    monkeypatch.setattr("zmqbridge.lanes._BATCH_BYTES", 10)
    lane = make_lane(desk)
    hold(lane, desk)
    offer(lane, 1, 2, 3)  # of six bytes each
    desk.open.set()
    assert close(lane)
    assert desk.batches == [["0"], ["1", "2"], ["3"]]


def test_a_full_lane_refuses_and_counts(desk):
    lane = make_lane(desk, capacity=2)
    hold(lane, desk)
    assert offer(lane, 1, 2, 3, 4) == [True, True, False, False]
    assert lane.report()["refused"] == 2
    desk.open.set()
    wait_until(lambda: len(desk.replies) == 3)
    assert offer(lane, 5) == [True]
    assert close(lane)


def test_what_waits_is_made_ready_while_the_worker_is_busy(desk):
    ready = []

    def prepare(request):
        ready.append(request.request_id)
        return request

    lane = make_lane(desk, capacity=3, prepare=prepare)
    hold(lane, desk)
    large = Request("create", "large", "s", b"{" + b" " * 5000 + b"}", "", None)
    assert lane.offer((b"peer",), large, time.monotonic())  # would hold the server's loop up
    assert offer(lane, 1, 2, "refused") == [True, True, False]
    assert ready == ["0", "1", "2"]
    desk.open.set()
    assert close(lane)
    assert desk.bodies() == [b"0", b"large", b"1", b"2"]


def test_closing_answers_what_waits_and_takes_no_more(desk):
    lane = make_lane(desk, batch=1)
    hold(lane, desk)
    offer(lane, 1, 2)
    assert not close(lane, seconds=0.05)
    assert offer(lane, 3) == [False]
    desk.open.set()
    assert close(lane)
    assert desk.bodies() == [b"0", b"1", b"2"]


def test_a_lane_waits_for_what_came_before_to_another(desk):
    answered_before = []

    def look(requests):
        answered_before.append(writes.answered)
        return [b""] * len(requests)

    later = Desk()
    later.answer = look
    writes = make_lane(desk)
    bulk = make_lane(later, behind=writes)
    hold(writes, desk)
    offer(bulk, "bulk")
    wait_until(lambda: bulk.report()["depth"] == 0)
    desk.open.set()
    assert close(bulk)
    assert close(writes)
    assert answered_before == [1]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_dead_worker_is_seen():
    def fail(_):
        raise OSError("a fault that no boundary caught")

    desk = Desk()
    desk.answer = fail
    lane = make_lane(desk)
    assert lane.is_alive()
    offer(lane, 1)
    wait_until(lambda: not lane.is_alive())


def test_a_lane_is_full_by_bytes_as_well(desk):
    lane = make_lane(desk, capacity_bytes=10)
    hold(lane, desk)
    large = Request("create", "large", "s", b"{" + b" " * 20 + b"}", "", None)
    assert lane.offer((b"peer",), large, time.monotonic())
    assert offer(lane, 1) == [False]
    desk.open.set()
    wait_until(lambda: lane.answered == 2)
    assert offer(lane, 2) == [True]
    wait_until(lambda: lane.answered == 3)
    desk.open.clear()
    offer(lane, 3)
    wait_until(lambda: lane.report()["depth"] == 0)
    assert lane.offer((b"peer", b"envelope"), a_request(4), time.monotonic())
    assert offer(lane, 5) == [False]
    desk.open.set()
    assert close(lane)
