"""SIGTERM and SIGINT as an event. Called by the commands that run until they are stopped."""

import os
import signal
from threading import Event
from typing import Any

_FORCED_EXIT_CODE = 130


def stop_on_signals() -> Event:
    """An event that the first SIGTERM or SIGINT sets; the second ends the process."""
    stop = Event()

    def on_signal(*_: Any) -> None:
        if stop.is_set():
            os._exit(_FORCED_EXIT_CODE)
        stop.set()

    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGINT, on_signal)
    return stop
