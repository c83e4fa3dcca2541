"""The times of receipt: they strictly increase within an orchestrator, so that turns keep order."""

import time
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class ReceiptClock:
    """Used by the poll loop alone."""

    def __init__(self) -> None:
        self._last_us = 0

    def tick(self, width_us: int = 1) -> datetime:
        """A time after every earlier one, with `width_us` microseconds kept free behind it."""
        start_us = max(time.time_ns() // 1000, self._last_us + 1)
        self._last_us = start_us + width_us - 1
        return _EPOCH + timedelta(0, 0, start_us)  # by name it takes three times as long
