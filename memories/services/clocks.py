"""How far the database's clock and this machine's are apart, for the heartbeat and the doctor.

Expiry goes by the database's clock, times of receipt go by that of the orchestrator's machine.
"""

import time
from datetime import UTC, datetime

from memories.changes import rows

NOTICED_SKEW_SECONDS = 2.0
HARMFUL_SKEW_SECONDS = 60.0
SKEW_ADVICE = "Run a time service (chrony, systemd-timesyncd) on both machines."

# The answer is right to within half of the question's way: a slow one tells nothing.
_LONGEST_WAY_SECONDS = NOTICED_SKEW_SECONDS / 2


def measure_skew() -> float | None:
    """By how many seconds the database's clock is ahead of this machine's; None where that took
    too long to tell."""
    began, asked_at = time.monotonic(), datetime.now(UTC)
    [(theirs,)] = rows("SELECT clock_timestamp()")
    way_seconds = time.monotonic() - began
    if way_seconds > _LONGEST_WAY_SECONDS:
        return None
    return float((theirs - asked_at).total_seconds() - way_seconds / 2)


def describe_skew(seconds: float, whose: str = "this machine's") -> str:
    side = "ahead of" if seconds > 0 else "behind"
    return f"The database's clock is {abs(seconds):.1f} s {side} {whose}"
