import logging
import math
import re
import time

import pytest

from zmqbridge.latencies import Latencies
from zmqbridge.observer import Observer
from zmqbridge.protocol import Code, WireError, encode_error, encode_success
from zmqbridge.routing import Reply

LOGGER = "zmqbridge.observer"


def reply(seconds=0.0, error=None, request_id="r-1"):
    body = encode_error("read", request_id, error) if error else encode_success("read", "r", {})
    since = time.monotonic() - seconds
    began = since + seconds / 2
    return Reply((b"peer",), body, "read", since, "reads", request_id, began=began)


def test_a_slow_request_is_told_of_with_the_id_that_its_client_knows(caplog):
    observer = Observer(Latencies(), slow_seconds=1)
    observer.note(reply(2, WireError(Code.STORAGE_ERROR, "away"), request_id="a\nb"))
    observer.note(reply(0.5))
    [line] = caplog.records
    assert line.levelno == logging.WARNING
    assert re.match(r"read took 2\d{3}\.\d ms: ", line.getMessage())
    assert r"storage_error, request 'a\nb', 1000.0 ms of it in the lane reads" in line.getMessage()
    assert (line.action, line.outcome, line.request_id) == ("read", "storage_error", "a\nb")
    assert line.milliseconds == pytest.approx(2000, rel=0.5)


def test_many_slow_requests_are_counted_and_a_few_told_of(caplog):
    observer = Observer(Latencies(), slow_seconds=1)
    began = time.monotonic()
    for _ in range(1000):
        observer.note(reply(2))
    assert observer.slow == 1000
    assert 10 <= len(caplog.records) <= 10 * (math.ceil(time.monotonic() - began) + 1)


@pytest.mark.parametrize(("level", "lines"), [("DEBUG", 2), ("INFO", 0)])
def test_every_request_is_told_of_at_debug_alone(caplog, level, lines):
    caplog.set_level(level, LOGGER)
    observer = Observer(Latencies())
    observer.note(reply())
    observer.note(reply(error=WireError(Code.VALIDATION_ERROR, "no")))
    assert [each.levelno for each in caplog.records] == [logging.DEBUG] * lines
