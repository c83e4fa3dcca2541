"""The server owns the ROUTER: it receives, answers at once what needs no database, routes the rest
to a lane, and sends the replies that the lanes push. One thread, one socket, one poll loop.
"""

import logging
import math
import socket
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from threading import Event, Thread

import msgspec
import zmq

from zmqbridge.accesses import Accesses
from zmqbridge.answer import unknown_action
from zmqbridge.binding import bind, bind_once_free
from zmqbridge.cache import ReadCache
from zmqbridge.clock import ReceiptClock
from zmqbridge.config import ServerConfig
from zmqbridge.frames import receive
from zmqbridge.handlers import HANDLERS, Handler, LaneName
from zmqbridge.observer import Observer
from zmqbridge.outbox import Outbox
from zmqbridge.payloads import ReadPayload
from zmqbridge.protocol import (
    PINGS,
    Code,
    Request,
    WireError,
    encode_error,
    encode_ping,
    encode_success,
    read_envelope,
    refuse_nul,
)
from zmqbridge.readable import readable
from zmqbridge.routing import Offers, Reply, Route, reply_to

logger = logging.getLogger(__name__)

# Requests read in one go before replies get their turn, or fewer of so many bytes.
_RECEIVE_BURST = 256
_RECEIVE_BURST_BYTES = 1 << 20
_RETRY_MS = 5
_LAST_SECONDS = 0.1
_BATCH_WIDTH_US = 1000
# A read that is larger is left to its lane: what it says beside an id is no matter for this thread.
_CACHED_MAX_BYTES = 4 << 10
# Of all frames before the body, the peer's identity included: each proxy on the way adds one.
_ROUTE_FRAMES = 16
_ROUTE_BYTES = 4 << 10
# A payload that has the field elsewhere is taken for one that has it here.
_CREATED_AT = b'"created_at"'

_decode_read = msgspec.json.Decoder(ReadPayload).decode


class Server:
    """Serves until `stop`. `problems` tells what is wrong, for pings; `database_hangs`, whether the
    lanes wait for it in vain."""

    def __init__(
        self,
        config: ServerConfig,
        *,
        cache: ReadCache,
        accesses: Accesses,
        observer: Observer,
        problems: Callable[[], dict[str, str]],
        database_hangs: Callable[[], bool],
    ) -> None:
        self._config = config
        self._cache = cache
        self._accesses = accesses
        self._observer = observer
        self._problems = problems
        self._database_hangs = database_hangs
        self._clock = ReceiptClock()
        self._ready: deque[Reply] = deque()
        self._accepting = self._running = True
        self._sends_until = math.inf
        # Changes of what exists that wait in that lane, or are being made.
        self._bulk_changes = 0
        self._lanes: Mapping[LaneName, Offers] = {}
        self._waker, self._woken = socket.socketpair()
        self._waker.setblocking(False)
        self._woken.setblocking(False)
        self._context = zmq.Context(io_threads=1)
        self._socket = self._context.socket(zmq.ROUTER)
        self._set_up_socket()
        self.outbox = Outbox(self._socket, config.outbox_replies, config.outbox_bytes)
        self.thread = Thread(target=self._serve, name="server", daemon=True)

    def bind(self) -> list[str]:
        """Bind every endpoint; returns them with the ports that were really taken."""
        return [bind(self._socket, endpoint) for endpoint in self._config.endpoints]

    def take_over(self, seconds: float, stop: Event) -> list[str]:
        """The same, once whoever holds them has let go, within that time; fewer after `stop`."""
        deadline = time.monotonic() + seconds
        endpoints = self._config.endpoints
        bound = (bind_once_free(self._socket, each, deadline, stop) for each in endpoints)
        return [endpoint for endpoint in bound if endpoint]

    def start(self, lanes: Mapping[LaneName, Offers]) -> None:
        self._lanes = lanes
        self.thread.start()

    def deliver(self, replies: Sequence[Reply]) -> None:
        """Called by the lanes' threads."""
        self._ready.extend(replies)
        self._wake()

    def stop_accepting(self) -> None:
        """Read no more requests. What is accepted is still answered."""
        self._accepting = False
        self._wake()

    def close(self, deadline: float) -> None:
        """Send what is ready, until `deadline` (monotonic) at the latest, and close the socket."""
        self._sends_until = deadline
        self._running = False
        self._wake()
        if self.thread.is_alive():
            self.thread.join(max(0, deadline - time.monotonic()) + _LAST_SECONDS)
        # What a peer has still to take off its connection may have the rest of the time as well.
        linger_seconds = max(_LAST_SECONDS, deadline - time.monotonic())
        self._context.destroy(linger=int(linger_seconds * 1000))
        if unread := self.outbox.report()["waiting"]:
            logger.warning("%d replies are lost: their peers did not read them in time.", unread)
        self._waker.close()
        self._woken.close()

    def _set_up_socket(self) -> None:
        self._socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
        self._socket.setsockopt(zmq.RCVHWM, 10_000)
        self._socket.setsockopt(zmq.SNDHWM, 1_000)
        self._socket.setsockopt(zmq.MAXMSGSIZE, self._config.max_message_bytes)
        # An idle peer whose machine went away without a word is noticed within two minutes.
        self._socket.setsockopt(zmq.TCP_KEEPALIVE, 1)
        self._socket.setsockopt(zmq.TCP_KEEPALIVE_IDLE, 60)
        self._socket.setsockopt(zmq.TCP_KEEPALIVE_INTVL, 10)
        self._socket.setsockopt(zmq.TCP_KEEPALIVE_CNT, 6)

    def _wake(self) -> None:
        with suppress(OSError):  # enough are on their way already, or the grace period is over
            self._waker.send(b"\0")

    # The poll loop: everything below runs in the server's thread.

    def _serve(self) -> None:
        poller = zmq.Poller()
        poller.register(self._woken, zmq.POLLIN)
        poller.register(self._socket, zmq.POLLIN)
        while self._running or self._ready or (self.outbox and self._may_send()):
            if not self._accepting and self._socket in poller:
                poller.unregister(self._socket)
            events = dict(poller.poll(_RETRY_MS if self.outbox else 1000))
            if self._woken.fileno() in events:
                self._clear_wake_ups()
            self._send_ready()
            if self._socket in events and self._accepting:
                self._receive()
            if self.outbox:
                self.outbox.retry(self._handle)

    def _may_send(self) -> bool:
        return time.monotonic() < self._sends_until

    def _clear_wake_ups(self) -> None:
        with suppress(BlockingIOError):
            while self._woken.recv(4096):
                pass

    def _send_ready(self) -> None:
        while self._ready:
            reply = self._ready.popleft()
            if self.outbox and self._is_too_much(reply):
                reply = self._refusal_of(reply)
            self.outbox.send(reply.route, reply.body)
            self._observer.note(reply)
            if reply.lane == LaneName.BULK and HANDLERS[reply.action].keyed:
                self._bulk_changes -= 1

    def _is_too_much(self, reply: Reply) -> bool:
        """Ten thousand accepted reads may have replies of a megabyte each. Changes tell little."""
        is_read = bool(reply.lane) and not HANDLERS[reply.action].changes
        return is_read and self.outbox.has_heavy(reply.route[0])

    def _refusal_of(self, reply: Reply) -> Reply:
        refusal = WireError(
            Code.RATE_LIMIT_EXCEEDED,
            "Too many replies wait to be read; read them, and try again.",
            retry_after=self._config.retry_after_seconds,
        )
        body = encode_error(reply.action, reply.request_id, refusal)
        return msgspec.structs.replace(reply, body=body)

    def _receive(self) -> None:
        for frames in self._take_burst():
            if not self.outbox or not self.outbox.parks(frames):
                self._handle(frames)

    def _take_burst(self) -> list[list[bytes]]:
        """What has come, all of it before any is handled: a processor does one thing quicker."""
        burst: list[list[bytes]] = []
        size_bytes = 0
        with suppress(zmq.Again):
            while len(burst) < _RECEIVE_BURST and size_bytes < _RECEIVE_BURST_BYTES:
                burst.append(receive(self._socket))
                size_bytes += len(burst[-1][-1])
        return burst

    def _handle(self, frames: list[bytes]) -> None:
        since = time.monotonic()
        route, body = tuple(frames[:-1]), frames[-1]
        try:
            _check_route(route)
            request = read_envelope(body, self._clock.tick(), self._config.max_body_bytes)
            at_once = self._answer_at_once(request)
        except WireError as error:
            action, request_id = readable(body)
            refusal = encode_error(action, request_id, error)
            self._ready.append(Reply(route, refusal, "refused", since, request_id=request_id))
        else:
            if at_once is None:
                at_once = self._offer(route, request, since)
            if at_once is not None:
                self._ready.append(reply_to(request, route, at_once, since))
        self._send_ready()

    def _answer_at_once(self, request: Request) -> bytes | None:
        """The reply to what needs no lane: pings, and reads of cached memories."""
        if request.action == "read":
            return self._cached(request)
        if request.action in PINGS:
            return encode_ping(request, self._problems())
        if request.action not in HANDLERS:
            raise unknown_action(request.action)
        return None

    def _cached(self, request: Request) -> bytes | None:
        if len(request.payload) > _CACHED_MAX_BYTES:
            return None
        try:
            refuse_nul(request.payload, "payload")
            payload = _decode_read(request.payload)
        except (ValueError, RecursionError, WireError):
            return None  # the lane says what is wrong with it
        body = None if payload.fresh else self._cache.get(payload.memory_id)
        if body is None:
            return None
        self._accesses.note("read", payload.acting_agent, (payload.memory_id,))
        return encode_success("read", request.request_id, msgspec.Raw(body))

    def _offer(self, route: Route, request: Request, since: float) -> bytes | None:
        """Put it into its lane; the refusal if that is full or can do nothing."""
        if self._database_hangs():
            refusal = WireError(
                Code.STORAGE_ERROR,
                "The database does not answer; nothing of the request was stored.",
            )
            return encode_error(request.action, request.request_id, refusal)
        name = self._choose_lane(request)
        if self._lanes[name].offer(route, request, since):
            if name is LaneName.BULK and HANDLERS[request.action].keyed:
                self._bulk_changes += 1
            return None
        refusal = WireError(
            Code.RATE_LIMIT_EXCEEDED,
            f"Too many requests wait in the lane of {name}; try again.",
            retry_after=self._config.retry_after_seconds,
        )
        return encode_error(request.action, request.request_id, refusal)

    def _choose_lane(self, request: Request) -> LaneName:
        handler = HANDLERS[request.action]
        if request.action == "batch_create":
            self._clock.tick(_BATCH_WIDTH_US)  # its members are a microsecond apart
        if self._bulk_changes and handler.changes and _meets_bulk_changes(request, handler):
            return LaneName.BULK
        return handler.choose_lane(request) if handler.choose_lane else handler.lane


def _check_route(route: Route) -> None:
    """Every reply that waits holds its own."""
    if len(route) > _ROUTE_FRAMES or sum(map(len, route)) > _ROUTE_BYTES:
        raise WireError(
            Code.INVALID_REQUEST,
            f"Before the body stand more than {_ROUTE_FRAMES} frames or {_ROUTE_BYTES} bytes.",
        )


def _meets_bulk_changes(request: Request, handler: Handler) -> bool:
    """Whether it must not overtake them: a change of what exists could meet the same memory in the
    wrong order, and a memory of earlier be deleted by a bulk delete that came before it."""
    return handler.keyed or _CREATED_AT in request.payload
