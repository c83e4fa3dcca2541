"""One DEALER, the thread that owns it, and the way in for other threads. Used by both clients."""

import logging
import os
import socket
import threading
import time
from collections import deque
from concurrent.futures import Future
from contextlib import suppress

import zmq
from zmq.utils.monitor import recv_monitor_message

from zmqbridge.client.calls import Outgoing
from zmqbridge.client.errors import (
    ClientBusy,
    ClientClosed,
    ClientError,
    ClientForked,
    UnusableArgument,
)
from zmqbridge.client.exchange import Exchange, Pending

logger = logging.getLogger(__name__)

MAX_REPLY_BYTES = 64 << 20  # well above what the protocol allows, and still a bound
QUEUED_MESSAGES = 1000
HEARTBEAT_MS = 2000
LOST_AFTER_MS = 6000
RECONNECT_MS = 50
RECONNECT_AT_MOST_MS = 1000


class Channel:
    """Sends requests and ties replies to them, in a thread of its own, until it is closed."""

    def __init__(self, endpoint: str, resend_seconds: float, max_in_flight: int) -> None:
        self._pid = os.getpid()
        self._exchange = Exchange(endpoint, resend_seconds)
        self._max_in_flight = max_in_flight
        self._lock = threading.Lock()
        self._inbox: deque[Pending] = deque()
        self._is_woken = False
        self._was_lost = False
        self._is_closed = False
        self._wake_end, self._woken_end = socket.socketpair()
        self._wake_end.setblocking(False)
        self._woken_end.setblocking(False)
        try:
            self._open(endpoint)
        except BaseException:
            self._wake_end.close()
            self._woken_end.close()
            raise
        self._thread = threading.Thread(target=self._run, name="orchestrator-client", daemon=True)
        self._thread.start()

    def request(self, outgoing: Outgoing) -> "Future[bytes]":
        """The future of the reply's data, as JSON text. To cancel it gives the request up.

        Raises ClientClosed, ClientForked, ClientBusy.
        """
        if os.getpid() != self._pid:
            raise ClientForked(f"This client belongs to process {self._pid}; make one here.")
        pending = Pending(outgoing, time.monotonic() + outgoing.timeout_seconds)
        with self._lock:
            if self._is_closed:
                raise ClientClosed("The client is closed.")
            if len(self._inbox) + len(self._exchange.in_flight) >= self._max_in_flight:
                raise ClientBusy(f"{self._max_in_flight} requests are in flight; wait for some.")
            self._inbox.append(pending)
            self._wake()
        return pending.future

    def close(self) -> None:
        """Fail what is in flight with ClientClosed, and free thread and sockets. May be repeated;
        does nothing in a forked process, whose parent goes on using them."""
        if os.getpid() != self._pid:
            return
        with self._lock:
            if not self._is_closed:
                self._is_closed = True
                self._wake()
        # The garbage collector may close a forgotten client in its own thread.
        if self._thread is not threading.current_thread():
            self._thread.join()

    def _open(self, endpoint: str) -> None:
        self._context = zmq.Context()
        try:
            dealer = self._context.socket(zmq.DEALER)
            dealer.setsockopt(zmq.LINGER, 0)
            dealer.setsockopt(zmq.SNDHWM, QUEUED_MESSAGES)
            dealer.setsockopt(zmq.RCVHWM, QUEUED_MESSAGES)
            dealer.setsockopt(zmq.MAXMSGSIZE, MAX_REPLY_BYTES)
            # Requests wait here, where they can be given up, not in a pipe to nowhere.
            dealer.setsockopt(zmq.IMMEDIATE, 1)
            dealer.setsockopt(zmq.HEARTBEAT_IVL, HEARTBEAT_MS)
            dealer.setsockopt(zmq.HEARTBEAT_TIMEOUT, LOST_AFTER_MS)
            dealer.setsockopt(zmq.RECONNECT_IVL, RECONNECT_MS)
            dealer.setsockopt(zmq.RECONNECT_IVL_MAX, RECONNECT_AT_MOST_MS)
            self._dealer = dealer
            self._monitor = dealer.get_monitor_socket(
                zmq.EVENT_DISCONNECTED | zmq.EVENT_HANDSHAKE_SUCCEEDED
            )
            dealer.connect(endpoint)
        except zmq.ZMQError as error:
            self._context.destroy(linger=0)
            raise UnusableArgument(f"The endpoint {endpoint!r} cannot be used: {error}.") from None

    def _wake(self) -> None:
        if not self._is_woken:
            self._is_woken = True
            self._wake_end.send(b"\0")

    def _run(self) -> None:
        gone: ClientError = ClientClosed("The client was closed before the reply came.")
        try:
            self._serve()
        except Exception as error:
            logger.exception("The client's thread failed.")
            gone = ClientClosed(f"The client's thread failed: {error!r}.")
        finally:
            with self._lock:
                self._is_closed = True
            self._take_inbox()
            self._exchange.abandon(gone)
            self._free()

    def _serve(self) -> None:
        poller = zmq.Poller()
        poller.register(self._woken_end, zmq.POLLIN)
        poller.register(self._monitor, zmq.POLLIN)
        poller.register(self._dealer, zmq.POLLIN)
        waited_for = zmq.POLLIN
        while not self._is_closed:
            wanted = zmq.POLLIN | zmq.POLLOUT if self._exchange.unsent else zmq.POLLIN
            if wanted != waited_for:
                poller.modify(self._dealer, wanted)
                waited_for = wanted
            seconds = self._exchange.seconds_to_wake(time.monotonic())
            events = dict(poller.poll(None if seconds is None else int(seconds * 1000) + 1))
            # Each is asked only when it has something: to be told that there is nothing costs more.
            if events.get(self._dealer, 0) & zmq.POLLIN:
                self._receive()
            if self._monitor in events:
                self._watch_connection()
            self._take_inbox()
            self._exchange.wake(time.monotonic())
            self._send()

    def _receive(self) -> None:
        with suppress(zmq.Again):
            for _ in range(QUEUED_MESSAGES):
                frames = self._dealer.recv_multipart(zmq.NOBLOCK)
                self._exchange.receive(frames[-1], time.monotonic())

    def _watch_connection(self) -> None:
        """What was sent goes out again when the connection is lost, and when it is back: we may
        hear of the loss before the socket does, and send into what is lost."""
        with suppress(zmq.Again):
            while True:
                event = recv_monitor_message(self._monitor, zmq.NOBLOCK)["event"]
                is_lost = event == zmq.EVENT_DISCONNECTED
                if is_lost or self._was_lost:
                    self._exchange.lose_connection()
                self._was_lost = is_lost

    def _take_inbox(self) -> None:
        with self._lock:
            if self._is_woken:
                self._is_woken = False
                with suppress(BlockingIOError):
                    self._woken_end.recv(16)
            arrived = list(self._inbox)
            self._inbox.clear()
            for pending in arrived:
                self._exchange.add(pending)

    def _send(self) -> None:
        with suppress(zmq.Again):
            while pending := self._exchange.next_unsent():
                self._dealer.send(pending.outgoing.body, zmq.NOBLOCK)
                self._exchange.mark_sent(time.monotonic())

    def _free(self) -> None:
        self._dealer.disable_monitor()
        self._monitor.close(linger=0)
        self._dealer.close(linger=0)
        self._context.term()
        self._wake_end.close()
        self._woken_end.close()
