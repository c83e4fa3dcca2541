"""How far the database's clock is from this machine's, looked at with each heartbeat."""

import logging

from memories.services.clocks import (
    HARMFUL_SKEW_SECONDS,
    NOTICED_SKEW_SECONDS,
    SKEW_ADVICE,
    describe_skew,
    measure_skew,
)

logger = logging.getLogger(__name__)


class Skew:
    """`seconds`: by how much the database's clock is ahead. Warns once each time it goes off."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._is_told = False

    def measure(self) -> None:
        seconds = measure_skew()
        if seconds is None:
            return
        self.seconds = seconds
        is_off = abs(seconds) > NOTICED_SKEW_SECONDS
        if is_off and not self._is_told:
            logger.warning("%s. %s", describe_skew(seconds), SKEW_ADVICE)
        self._is_told = is_off

    def problem(self) -> str:
        """What pings tell of it, or "" while it does no harm."""
        if abs(self.seconds) < HARMFUL_SKEW_SECONDS:
            return ""
        return f"{describe_skew(self.seconds)}: memories expire at the wrong time."
