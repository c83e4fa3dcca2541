"""The first signal asks for a stop, whatever it interrupts."""

import os
import signal

import pytest

from tests.waiting import wait_until
from zmqbridge.management.signals import stop_on_signals


@pytest.fixture(autouse=True)
def _as_it_was():
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_may_come_while_the_event_is_waited_for(number):
    stop = stop_on_signals()
    with stop._cond:  # as `wait` holds it for a moment
        os.kill(os.getpid(), number)
    wait_until(stop.is_set)
