"""A call: what to send, and what comes back. `action` makes one description serve both clients."""

from __future__ import annotations

import json
import math
import uuid
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import update_wrapper
from types import MethodType
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, TypedDict, TypeVar, overload

import msgspec

from zmqbridge.client.errors import BadReply, UnusableArgument

if TYPE_CHECKING:
    from zmqbridge.client.clients import AsyncClient, Client

P = ParamSpec("P")
T = TypeVar("T")

MAX_BODY_BYTES = 16 << 20  # the transport may drop the connection over more
NO_SESSION = "-"  # the envelope of an action that no session matters to needs one all the same


class Options(TypedDict, total=False):
    """What every call takes by keyword.

    `timeout_seconds` is the one deadline of the call, retries included. `request_id` (up to 255
    characters) and `timestamp` (aware) are made up where they are left out; a change that is sent
    again with the same ones and the same arguments is carried out once. `traceparent` (W3C trace
    context) ties the orchestrator's spans to the caller's.
    """

    timeout_seconds: float
    request_id: str
    timestamp: datetime
    agent_id: str
    traceparent: str


class SessionOptions(Options, total=False):
    """`session_id`: the session to act in; without it, the one the client was made with."""

    session_id: str


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """A request that still lacks what the client knows."""

    action: str
    result: type[T]
    payload: Mapping[str, Any]
    options: SessionOptions | Options
    needs_session: bool = False
    spare_session_id: str = NO_SESSION

    def read(self, data: bytes) -> T:
        """The result in a reply's `data`. Raises BadReply."""
        try:
            return msgspec.json.decode(data, type=self.result)
        except msgspec.DecodeError as error:
            raise BadReply(f"The reply to {self.action} is not as expected: {error}.") from None


@dataclass(frozen=True, slots=True)
class Defaults:
    """What a client adds to the options of its calls."""

    timeout_seconds: float
    session_id: str | None
    agent_id: str | None


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A request as it goes over the wire, each time with the same bytes."""

    action: str
    request_id: str
    body: bytes
    timeout_seconds: float


class Action(Generic[P, T]):
    """A method of both clients: it returns its result in one, and is awaited in the other."""

    def __init__(self, describe: Callable[Concatenate[Any, P], Call[T]]) -> None:
        self._describe = describe
        self.__doc__ = describe.__doc__

    @overload
    def __get__(self, client: None, owner: type) -> Action[P, T]: ...
    @overload
    def __get__(self, client: Client, owner: type) -> Callable[P, T]: ...
    @overload
    def __get__(self, client: AsyncClient, owner: type) -> Callable[P, Coroutine[Any, Any, T]]: ...
    def __get__(self, client: Client | AsyncClient | None, owner: type) -> Any:
        if client is None:
            return self
        describe = MethodType(self._describe, client)

        def call(*args: P.args, **kwargs: P.kwargs) -> Any:
            return client.perform(describe(*args, **kwargs))

        return update_wrapper(call, describe)


def action(describe: Callable[Concatenate[Any, P], Call[T]]) -> Action[P, T]:
    """Decorate a method that describes one action by a Call."""
    return Action(describe)


def given(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def span(start: datetime | None, end: datetime | None) -> dict[str, datetime] | None:
    return given(start=start, end=end) or None


def prepare(call: Call[Any], defaults: Defaults) -> Outgoing:
    """Raises UnusableArgument where the call cannot be written down."""
    options: SessionOptions = {**call.options}
    request_id = options.get("request_id") or uuid.uuid4().hex
    envelope = {
        "action": call.action,
        "request_id": request_id,
        "session_id": _session_id(call, options, defaults),
        "payload": _payload(call, options.get("agent_id", defaults.agent_id)),
        "timestamp": wire_time(options.get("timestamp", datetime.now(UTC)), "timestamp"),
    }
    if traceparent := options.get("traceparent"):
        envelope["traceparent"] = traceparent
    timeout_seconds = options.get("timeout_seconds", defaults.timeout_seconds)
    if not (0 < timeout_seconds < math.inf):
        raise UnusableArgument(f"timeout_seconds is {timeout_seconds}; it is above 0 and finite.")
    return Outgoing(call.action, request_id, _encoded(call.action, envelope), timeout_seconds)


def wire_time(moment: datetime, name: str) -> str:
    """ISO 8601 in UTC. Raises UnusableArgument for a time without an offset: whose would it be?"""
    if moment.tzinfo is None:
        raise UnusableArgument(f"{name} has no time zone; use datetime.now(UTC), say.")
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _session_id(call: Call[Any], options: SessionOptions, defaults: Defaults) -> str:
    if session_id := options.get("session_id") or defaults.session_id:
        return session_id
    if call.needs_session:
        raise UnusableArgument(
            f"{call.action} needs a session: pass session_id to the call or to the client."
        )
    return call.spare_session_id


def _payload(call: Call[Any], agent_id: str | None) -> dict[str, Any]:
    if agent_id is None:
        return {**call.payload}
    return {**call.payload, "metadata": {**call.payload.get("metadata", {}), "agent_id": agent_id}}


def _encoded(action: str, envelope: dict[str, Any]) -> bytes:
    # Not msgspec: it writes NaN and infinity as null, and what was meant is lost without a word.
    try:
        body = json.dumps(
            envelope, ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_instant
        ).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise UnusableArgument(f"{action} cannot be sent as JSON: {error}.") from None
    if len(body) > MAX_BODY_BYTES:
        raise UnusableArgument(f"{action} has {len(body)} bytes; {MAX_BODY_BYTES} can be sent.")
    return body


def _instant(value: object) -> str:
    if isinstance(value, datetime):
        return wire_time(value, "a time in the payload")
    raise TypeError(f"{type(value).__name__} is no JSON type")
