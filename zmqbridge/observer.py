"""What is noted of each request once its reply is out: latency, log line, trace.

Called by the server's thread, for every request: what nobody asked for costs a comparison.
"""

import logging
import math
import time
from collections.abc import Callable

from zmqbridge.latencies import Latencies
from zmqbridge.protocol import error_code
from zmqbridge.routing import Reply

logger = logging.getLogger(__name__)

# A database that has grown slow makes all requests slow: a few lines a second say it as well.
_SLOW_LINES_A_SECOND = 10


class Observer:
    """A line at debug for every request, or at warning for those that took `slow_seconds`."""

    def __init__(
        self,
        latencies: Latencies,
        *,
        slow_seconds: float = math.inf,
        trace: Callable[[Reply, str], None] | None = None,
    ) -> None:
        self.slow = 0
        self._latencies = latencies
        self._slow_seconds = slow_seconds
        # Asked once: the logging module's own look-up would be paid by every request.
        self._tells_all = logger.isEnabledFor(logging.DEBUG)
        self._told_from_seconds = 0.0 if self._tells_all else slow_seconds
        self._trace = trace
        self._second = 0
        self._lines_left = _SLOW_LINES_A_SECOND

    def note(self, reply: Reply) -> None:
        seconds = time.monotonic() - reply.since
        error = error_code(reply.body)
        self._latencies.note(reply.action, seconds, error)
        if seconds >= self._told_from_seconds:
            self._tell(reply, seconds, error or "success")
        if self._trace:
            self._trace(reply, error)

    def _tell(self, reply: Reply, seconds: float, outcome: str) -> None:
        level = logging.DEBUG
        if seconds >= self._slow_seconds:
            self.slow += 1
            if self._may_warn():
                level = logging.WARNING
            elif not self._tells_all:
                return
        waited_seconds = reply.began - reply.since if reply.began else 0.0
        logger.log(
            level,
            "%s took %.1f ms: %s, request %r%s",
            reply.action,
            seconds * 1000,
            outcome,
            reply.request_id,
            f", {waited_seconds * 1000:.1f} ms of it in the lane {reply.lane}" * bool(reply.lane),
            extra={
                "action": reply.action,
                "outcome": outcome,
                "request_id": reply.request_id,
                "milliseconds": round(seconds * 1000, 3),
                "waited_milliseconds": round(waited_seconds * 1000, 3),
                "lane": str(reply.lane),
            },
        )

    def _may_warn(self) -> bool:
        second = int(time.monotonic())
        if second != self._second:
            self._second, self._lines_left = second, _SLOW_LINES_A_SECOND
        self._lines_left -= 1
        return self._lines_left >= 0
