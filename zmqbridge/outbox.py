"""What waits to be sent to peers that read slowly, within a bound for each.

Used by the server's thread alone. With ROUTER_MANDATORY on, a send to a peer whose pipe is full
says so instead of losing the reply; it then waits here. A peer over its bound is read no more: its
requests are parked until it catches up, and beyond a second bound dropped, which its retries mend.
"""

import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import zmq

from zmqbridge.frames import send
from zmqbridge.routing import Route

logger = logging.getLogger(__name__)

Frames = list[bytes]


@dataclass(slots=True)
class _Peer:
    replies: deque[tuple[Route, bytes]] = field(default_factory=deque)
    reply_bytes: int = 0
    parked: deque[Frames] = field(default_factory=deque)
    parked_bytes: int = 0


class Outbox:
    """At most `max_replies` and `max_bytes` a peer, and as many requests parked."""

    def __init__(self, socket: zmq.Socket[bytes], max_replies: int, max_bytes: int) -> None:
        self._socket = socket
        self._max_replies = max_replies
        self._max_bytes = max_bytes
        self._peers: dict[bytes, _Peer] = {}
        self.sent = self.gone = self.dropped = 0

    def __bool__(self) -> bool:
        return bool(self._peers)

    def send(self, route: Route, body: bytes) -> None:
        peer = self._peers.get(route[0])
        if peer is None and self._sent(route, body):
            return
        if peer is None:
            peer = self._peers[route[0]] = _Peer()
        peer.replies.append((route, body))
        peer.reply_bytes += _size_bytes(route, body)

    def parks(self, frames: Frames) -> bool:
        """Whether a request has to wait, because its peer does not read its replies."""
        peer = self._peers.get(frames[0])
        if peer is None or not (self._is_over(peer) or peer.parked):
            return False
        size = sum(map(len, frames))
        if len(peer.parked) >= self._max_replies or peer.parked_bytes + size > self._max_bytes:
            self.dropped += 1
            if self.dropped == 1:
                logger.warning("A peer reads no replies; its further requests are dropped.")
            return True
        peer.parked.append(frames)
        peer.parked_bytes += size
        return True

    def has_heavy(self, identity: bytes) -> bool:
        """Whether as many bytes wait for that peer as may."""
        peer = self._peers.get(identity)
        return peer is not None and peer.reply_bytes >= self._max_bytes

    def retry(self, handle: Callable[[Frames], None]) -> None:
        """Send what can be sent now, and have `handle` take the requests of who caught up."""
        for identity, peer in list(self._peers.items()):
            while peer.replies and self._sent(*peer.replies[0]):
                peer.reply_bytes -= _size_bytes(*peer.replies.popleft())
            while peer.parked and not self._is_over(peer):
                frames = peer.parked.popleft()
                peer.parked_bytes -= sum(map(len, frames))
                handle(frames)
            if not peer.replies and not peer.parked:
                del self._peers[identity]

    def report(self) -> dict[str, int]:
        peers = list(self._peers.values())
        return {
            "sent": self.sent,
            "waiting": sum(len(peer.replies) for peer in peers),
            "parked_requests": sum(len(peer.parked) for peer in peers),
            "dropped_requests": self.dropped,
            "peers_gone": self.gone,
        }

    def _is_over(self, peer: _Peer) -> bool:
        return len(peer.replies) >= self._max_replies or peer.reply_bytes >= self._max_bytes

    def _sent(self, route: Route, body: bytes) -> bool:
        """Whether the reply needs no more sending: it is out, or its peer is gone."""
        try:
            send(self._socket, route, body)
            self.sent += 1
        except zmq.Again:
            return False
        except zmq.ZMQError as error:
            if error.errno != zmq.EHOSTUNREACH:
                raise
            self.gone += 1
        return True


def _size_bytes(route: Route, body: bytes) -> int:
    return len(body) + sum(map(len, route))
