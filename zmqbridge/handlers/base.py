"""What a handler is: an action's payload type, how an ask is prepared, and the call that serves.

`answer` decodes a payload, has it prepared (checked, no database), and serves all that is prepared
of one action at once: one result or error for each.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

import msgspec

from memories.errors import MemoriesError
from zmqbridge.protocol import Request


class LaneName(StrEnum):
    WRITES = "writes"
    READS = "reads"
    SEARCH = "search"
    WORDS = "words"
    BULK = "bulk"
    HEAVY = "heavy"


class Changed(msgspec.Struct, frozen=True):
    """A result, and the memories whose cached form is no longer right."""

    data: Any
    memory_ids: Sequence[str]


class About(NamedTuple):
    """What a request was about, for the access log: memories, else what a session or a user has."""

    memory_ids: Sequence[str] = ()
    session_id: str = ""
    user_id: str = ""


class Ask(msgspec.Struct, frozen=True):
    """A request with its decoded payload."""

    request: Request
    payload: Any


Serve = Callable[[Sequence[Any]], Sequence[Any]]


@dataclass(frozen=True, slots=True)
class Handler:
    """`serve` takes what `prepare` made of each ask. `touches` names what a change must have to
    itself, `uses` what it must find unchanged: changes that meet there keep their order.
    `keyed`: the answer is kept, to be given again to the same request. `atomic`: a call of `serve`
    is one transaction by itself. `choose_lane`: where not all of its requests go into `lane`; on
    the server's thread, so that it has microseconds. `about` tells what an ask with this result was
    about; a change of memories tells that by its result (`Changed`)."""

    payload: type[msgspec.Struct]
    prepare: Callable[[Ask], Any]
    serve: Serve
    lane: LaneName = LaneName.READS
    choose_lane: Callable[[Request], LaneName] | None = None
    changes: bool = False
    keyed: bool = False
    atomic: bool = False
    about: Callable[[Ask, Any], About] = lambda _ask, _result: About()
    touches: Callable[[Any], Iterable[str]] = lambda _: ()
    uses: Callable[[Any], Iterable[str]] = lambda _: ()


def about_session(ask: Ask, _: Any) -> About:
    return About(session_id=ask.request.session_id)


def about_user(ask: Ask, _: Any) -> About:
    return About(user_id=ask.payload.user_id or "")


def as_it_is(ask: Ask) -> Ask:
    return ask


def one_by_one(serve: Callable[[Any], Any]) -> Serve:
    """For what is rare: each item by itself, an error of the core standing for its own item."""

    def serve_each(items: Sequence[Any]) -> list[Any]:
        results: list[Any] = []
        for item in items:
            try:
                results.append(serve(item))
            except MemoriesError as error:
                results.append(error)
        return results

    return serve_each


def left_out_as(default: bytes, raw: msgspec.Raw) -> bytes:
    """The JSON text of a field, or the default where it is absent or null."""
    text = bytes(raw)
    return default if text in (b"", b"null") else text


# What a change touches: a memory by its id, a session, or more than it can name.
EVERYTHING = "*"


def session_named(session_id: str) -> str:
    return f"session {session_id}"
