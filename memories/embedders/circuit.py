"""Stops calling a model that keeps failing, so that nobody waits for it in vain.

Used for endpoints that speak OpenAI's interface, and for the queries of every embedder.
"""

import threading
import time
from collections.abc import Callable

from memories.embedders.errors import EmbedderUnavailable


class Circuit:
    """Opens after some failures in a row; then every call is refused at once, but for one probe
    each time `open_seconds` have passed. A success closes it."""

    def __init__(
        self,
        failures_to_open: int,
        open_seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._failures_to_open = failures_to_open
        self._open_seconds = open_seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._failures_in_a_row = 0
        self._next_probe_at = 0.0

    def admit(self) -> None:
        """Raises EmbedderUnavailable while the circuit is open."""
        with self._lock:
            if self._failures_in_a_row < self._failures_to_open:
                return
            now = self._clock()
            if now < self._next_probe_at:
                raise EmbedderUnavailable(
                    f"The embedder failed {self._failures_in_a_row} times in a row; "
                    f"it is tried again in {self._next_probe_at - now:.0f} s.",
                    retry_after_seconds=self._next_probe_at - now,
                )
            self._next_probe_at = now + self._open_seconds

    def note_success(self) -> None:
        with self._lock:
            self._failures_in_a_row = 0

    def note_failure(self) -> None:
        with self._lock:
            self._failures_in_a_row += 1
            if self._failures_in_a_row >= self._failures_to_open:
                self._next_probe_at = self._clock() + self._open_seconds
