"""How commands work beside live traffic."""

import time
from collections.abc import Iterable
from threading import Event


def go_gently(steps: Iterable[None]) -> None:
    """As long a pause after each step as it took: half of the database's time is for others."""
    pause = Event()
    began = time.monotonic()
    for _ in steps:
        pause.wait(time.monotonic() - began)
        began = time.monotonic()
