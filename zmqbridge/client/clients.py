"""The two clients. What they can do stands once, in the actions; here is only how each waits."""

import asyncio
import weakref
from types import TracebackType
from typing import Self, TypeVar

from zmqbridge.client.calls import Call, Defaults, prepare
from zmqbridge.client.channel import Channel
from zmqbridge.client.memory_actions import MemoryActions
from zmqbridge.client.session_actions import SessionActions

T = TypeVar("T")

DEFAULT_ENDPOINT = "tcp://127.0.0.1:5570"


class _Connected(MemoryActions, SessionActions):
    """`session_id` and `agent_id` serve where a call names none; `timeout_seconds` likewise.

    A request without a reply is sent again after `resend_seconds`, then twice that, and so on,
    and at once after a reconnect. ClientBusy is raised past `max_in_flight`.
    """

    def __init__(
        self,
        endpoint: str = DEFAULT_ENDPOINT,
        *,
        session_id: str | None = None,
        agent_id: str | None = None,
        timeout_seconds: float = 10.0,
        resend_seconds: float = 2.0,
        max_in_flight: int = 10_000,
    ) -> None:
        self.endpoint = endpoint
        self._defaults = Defaults(timeout_seconds, session_id, agent_id)
        self._channel = Channel(endpoint, resend_seconds, max_in_flight)
        # Whoever forgets to close loses the thread and the sockets with the last reference.
        self._free = weakref.finalize(self, self._channel.close)


class Client(_Connected):
    """A client that waits for each answer. Any number of threads may share one."""

    def perform(self, call: Call[T]) -> T:
        """Send a call and wait for its result. Raises ClientError."""
        future = self._channel.request(prepare(call, self._defaults))
        try:
            return call.read(future.result())
        finally:
            future.cancel()  # an interrupted call is not sent again; an answered one is not touched

    def close(self) -> None:
        """Fail what is in flight with ClientClosed. May be called twice."""
        self._free()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class AsyncClient(_Connected):
    """A client whose calls are awaited. Any number of tasks, and event loops, may share one."""

    async def perform(self, call: Call[T]) -> T:
        """Send a call and await its result. Raises ClientError."""
        future = self._channel.request(prepare(call, self._defaults))
        return call.read(await asyncio.wrap_future(future))

    async def close(self) -> None:
        """Fail what is in flight with ClientClosed. May be called twice."""
        await asyncio.to_thread(self._free)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()
