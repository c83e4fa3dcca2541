"""Where a reply goes, and what is known of it on the way. Shared by server, outbox and lanes."""

from typing import Protocol

import msgspec

from zmqbridge.protocol import Request

# Every frame before the body, the peer's identity first; they go back as they came.
Route = tuple[bytes, ...]


class Reply(msgspec.Struct, frozen=True, gc=False):
    """`since`: when its request was received, by the monotonic clock; `lane`: which one answered,
    "" for what needed none."""

    route: Route
    body: bytes
    action: str
    since: float
    lane: str = ""


class Offers(Protocol):
    """A lane, as the server sees it."""

    def offer(self, route: Route, request: Request, since: float) -> bool:
        """Take a request in; False if the lane is full."""
