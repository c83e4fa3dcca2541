"""SIGTERM and SIGINT as an event. Called by the commands that run until they are stopped."""

import os
import signal
from queue import SimpleQueue
from threading import Event, Thread
from typing import Any

_FORCED_EXIT_CODE = 130


def stop_on_signals() -> Event:
    """An event that the first SIGTERM or SIGINT sets; the second ends the process."""
    stop = Event()
    signals: SimpleQueue[int] = SimpleQueue()
    is_asked = False

    def on_signal(number: int, _: Any) -> None:
        nonlocal is_asked
        if is_asked:
            os._exit(_FORCED_EXIT_CODE)
        is_asked = True
        signals.put(number)

    def pass_on() -> None:
        # Not by the handler: it may interrupt this very event's wait, which holds the lock that
        # `set` needs. The queue's `put` needs none.
        signals.get()
        stop.set()

    Thread(target=pass_on, name="signals", daemon=True).start()

    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGINT, on_signal)
    return stop
