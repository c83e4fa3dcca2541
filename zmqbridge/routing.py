"""Where a reply goes, and what is known of it on the way. Shared by server, outbox and lanes."""

from typing import Protocol

import msgspec

from zmqbridge.protocol import Request

# Every frame before the body, the peer's identity first; they go back as they came.
Route = tuple[bytes, ...]


class Reply(msgspec.Struct, frozen=True, gc=False):
    """`since`, `began`, `done`: when its request was received, and when a lane served it, by the
    monotonic clock; `lane`: which one, "" for what needed none."""

    route: Route
    body: bytes
    action: str
    since: float
    lane: str = ""
    request_id: str = ""
    traceparent: str = ""
    began: float = 0.0
    done: float = 0.0


def reply_to(
    request: Request,
    route: Route,
    body: bytes,
    since: float,
    lane: str = "",
    began: float = 0.0,
    done: float = 0.0,
) -> Reply:
    action, request_id, traceparent = request.action, request.request_id, request.traceparent
    return Reply(route, body, action, since, lane, request_id, traceparent, began, done)


class Offers(Protocol):
    """A lane, as the server sees it."""

    def offer(self, route: Route, request: Request, since: float) -> bool:
        """Take a request in; False if the lane is full."""
