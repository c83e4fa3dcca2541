"""The requests in flight: what to send, send again and when to give up. Owns no socket, no thread.

`Channel` calls it from its I/O thread, with the time, and sends what stands in `unsent`.
"""

import random
from collections import deque
from concurrent.futures import Future
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Any

import msgspec

from zmqbridge.client.calls import Outgoing
from zmqbridge.client.errors import (
    BadReply,
    ClientError,
    RateLimited,
    RequestFailed,
    StorageFailed,
    TimedOut,
    Unreachable,
    UnusableArgument,
    failure,
)

FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 2.0
HEALTH = frozenset({"ok", "degraded"})


class _Error(msgspec.Struct):
    code: str
    message: str = ""
    details: dict[str, Any] | None = None


class _Reply(msgspec.Struct):
    request_id: str
    status: str
    data: msgspec.Raw = msgspec.Raw()
    error: _Error | None = None


_decode_reply = msgspec.json.Decoder(_Reply).decode


@dataclass(slots=True, eq=False)
class Pending:
    """A request that waits for its reply. `future` gets the JSON text of the reply's data.

    Times are those of time.monotonic(), in seconds.
    """

    outgoing: Outgoing
    deadline: float
    future: Future[bytes] = field(default_factory=Future)
    times_sent: int = 0
    times_refused: int = 0
    is_queued: bool = False
    wakes_at: float = 0.0
    refusal: RequestFailed | None = None


class Exchange:
    """Ties replies to requests by request_id; a late, repeated or foreign reply is let go."""

    def __init__(self, endpoint: str, resend_seconds: float) -> None:
        self.unsent: deque[Pending] = deque()
        self.in_flight: dict[str, Pending] = {}
        self._endpoint = endpoint
        self._resend_seconds = resend_seconds
        self._alarms: list[tuple[float, str]] = []

    def add(self, pending: Pending) -> None:
        request_id = pending.outgoing.request_id
        old = self.in_flight.get(request_id)
        if old and self._is_awaited(old):
            twice = UnusableArgument(f"A request with the request_id {request_id} is in flight.")
            _fail(pending, twice)
            return
        self.in_flight[request_id] = pending
        self._queue(pending)
        self._wake(pending, pending.deadline)

    def next_unsent(self) -> Pending | None:
        """The first that is still to be sent; it stays until `mark_sent`."""
        while self.unsent:
            pending = self.unsent[0]
            if self._is_awaited(pending):
                return pending
            self.unsent.popleft()
        return None

    def mark_sent(self, now: float) -> None:
        """The first of `unsent` is on its way."""
        pending = self.unsent.popleft()
        pending.is_queued = False
        pending.times_sent += 1
        # Doubled each time: whoever is slow already is not helped by more of the same.
        patience = self._resend_seconds * 2 ** (pending.times_sent - 1)
        self._wake(pending, now + patience)

    def lose_connection(self) -> None:
        """What was sent and not answered goes out again, once there is a connection."""
        for pending in self.in_flight.values():
            if pending.refusal is None:
                self._queue(pending)

    def receive(self, body: bytes, now: float) -> None:
        try:
            reply = _decode_reply(body)
        except (msgspec.DecodeError, RecursionError):
            return
        pending = self.in_flight.get(reply.request_id)
        if pending is None:
            return
        if reply.status == "success" and reply.data:
            self._settle(pending, bytes(reply.data))
        elif reply.status in HEALTH:
            self._settle(pending, body)
        elif reply.status == "error" and reply.error:
            error = reply.error
            self._refuse(pending, failure(error.code, error.message, error.details or {}), now)
        else:
            self._settle(pending, BadReply(f"The reply has neither data nor error: {body[:200]!r}"))

    def wake(self, now: float) -> None:
        """Send again what waited long enough, and give up what is past its deadline."""
        while self._alarms and self._alarms[0][0] <= now:
            at, request_id = heappop(self._alarms)
            pending = self.in_flight.get(request_id)
            if pending is None or pending.wakes_at != at or not self._is_awaited(pending):
                continue
            if now >= pending.deadline:
                self._settle(pending, self._given_up(pending))
                continue
            self._queue(pending)
            self._wake(pending, pending.deadline)

    def seconds_to_wake(self, now: float) -> float | None:
        """None: nothing waits for a time."""
        if not self.in_flight:
            self._alarms.clear()
        return max(0.0, self._alarms[0][0] - now) if self._alarms else None

    def abandon(self, error: ClientError) -> None:
        """Fail all that is in flight."""
        for pending in list(self.in_flight.values()):
            self._settle(pending, error)
        self.unsent.clear()

    def _queue(self, pending: Pending) -> None:
        if not pending.is_queued:
            pending.is_queued = True
            pending.refusal = None
            self.unsent.append(pending)

    def _wake(self, pending: Pending, at: float) -> None:
        pending.wakes_at = min(at, pending.deadline)
        heappush(self._alarms, (pending.wakes_at, pending.outgoing.request_id))
        if len(self._alarms) > 1000 + 4 * len(self.in_flight):
            # Most are for what was answered long ago: at a high rate they would pile up.
            self._alarms = sorted((each.wakes_at, name) for name, each in self.in_flight.items())

    def _refuse(self, pending: Pending, refusal: RequestFailed, now: float) -> None:
        pending.times_refused += 1
        pause_seconds = _pause_seconds(refusal, pending.times_refused)
        if pause_seconds is None:
            self._settle(pending, refusal)
        elif now + pause_seconds < pending.deadline:
            pending.refusal = refusal
            self._wake(pending, now + pause_seconds)
        elif pending.times_refused >= pending.times_sent:
            self._settle(pending, refusal)
        # Else an earlier sending is unanswered: it may have been carried out, so wait for it.

    def _given_up(self, pending: Pending) -> ClientError:
        if pending.refusal and pending.times_refused >= pending.times_sent:
            return pending.refusal
        within = f"within {pending.outgoing.timeout_seconds:g} s"
        if not pending.times_sent:
            return Unreachable(f"No connection to {self._endpoint} {within}.")
        return TimedOut(
            f"No answer to {pending.outgoing.action} from {self._endpoint} {within};"
            f" sent {pending.times_sent} times."
        )

    def _is_awaited(self, pending: Pending) -> bool:
        request_id = pending.outgoing.request_id
        if self.in_flight.get(request_id) is not pending:
            return False
        if pending.future.cancelled():
            del self.in_flight[request_id]
            return False
        return True

    def _settle(self, pending: Pending, outcome: bytes | ClientError) -> None:
        del self.in_flight[pending.outgoing.request_id]
        if isinstance(outcome, ClientError):
            _fail(pending, outcome)
        elif pending.future.set_running_or_notify_cancel():
            pending.future.set_result(outcome)


def _fail(pending: Pending, error: ClientError) -> None:
    if pending.future.set_running_or_notify_cancel():
        pending.future.set_exception(error)


def _pause_seconds(refusal: RequestFailed, times_refused: int) -> float | None:
    """How long to wait before sending again; None: it would be refused again."""
    if not isinstance(refusal, RateLimited | StorageFailed):
        return None
    pause: float = min(FIRST_PAUSE_SECONDS * 2 ** (times_refused - 1), LONGEST_PAUSE_SECONDS)
    if isinstance(refusal, RateLimited) and refusal.retry_after_seconds is not None:
        pause = refusal.retry_after_seconds
    # Spread, so that many clients that were refused together do not come back together.
    return pause * random.uniform(1.0, 1.25)  # noqa: S311
