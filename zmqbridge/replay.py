"""Conversations in a JSON-lines file: read, stored and read back. Called by `__main__`.

What a request is called and when it was made derive from the file's content, so that a file that
is replayed again, or a longer copy of it, stores only what is not there yet.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from itertools import zip_longest
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from zmqbridge.client import AsyncClient, Memory, RequestFailed
from zmqbridge.protocol import ID_MAX_CHARACTERS

IN_FLIGHT = 256
TURN_TIMEOUT_SECONDS = 60.0
PAGE_SIZE = 500
QUESTION_WORDS = 5  # "And whisk?" means nothing by itself
TICK = timedelta(microseconds=1)

_Id = Annotated[str, msgspec.Meta(min_length=1, max_length=ID_MAX_CHARACTERS)]


class ReplayError(Exception):
    """A file that cannot be replayed; the message names the line."""


class _Line(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    session: _Id
    user: _Id
    role: Literal["user", "assistant", "system"]
    text: Annotated[str, msgspec.Meta(min_length=1)]
    time: str


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn of a conversation. `time` is aware, and later than that of the turn before it."""

    line: int
    session: str
    user: str
    role: str
    text: str
    time: datetime

    @property
    def speaker(self) -> str:
        return self.user if self.role == "user" else self.role

    @property
    def request_id(self) -> str:
        parts = (self.session, self.user, self.role, self.text, self.time.isoformat())
        return f"replay-{_digest(parts)}"


@dataclass(frozen=True, slots=True)
class Difference:
    """Where what is stored is not what the file says: as text, None where it lacks."""

    session: str
    expected: str | None
    stored: str | None


def read_turns(path: Path) -> list[Turn]:
    """All turns of the file, checked. Raises ReplayError with the number of the first bad line."""
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except OSError as error:
        raise ReplayError(f"{path} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError as error:
        raise ReplayError(f"{path} is not UTF-8: see byte {error.start}.") from None
    turns: list[Turn] = []
    last_said: dict[str, Turn] = {}
    last_kept: dict[str, Turn] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            said = _turn(number, line)
            _check_order(said, last_said.get(said.session))
        except ValueError as error:
            raise ReplayError(f"{path}, line {number}: {error}.") from None
        kept = _after(said, last_kept.get(said.session))
        last_said[said.session], last_kept[said.session] = said, kept
        turns.append(kept)
    if not turns:
        raise ReplayError(f"{path} holds no turns.")
    return turns


async def store_turns(
    client: AsyncClient, turns: Sequence[Turn], on_stored: Callable[[], object]
) -> None:
    """Open the sessions, then store the turns, many at a time. Raises ClientError, ReplayError."""
    firsts = {turn.session: turn for turn in reversed(turns)}
    await _at_once(firsts.values(), lambda turn: _open_session(client, turn))

    async def store(turn: Turn) -> None:
        await _store(client, turn)
        on_stored()

    await _at_once(turns, store)


async def compare(client: AsyncClient, turns: Sequence[Turn]) -> list[Difference]:
    """Where the sessions of these turns, read back whole, differ in order, speaker, text, time."""
    sessions: dict[str, list[Turn]] = {}
    for turn in turns:
        sessions.setdefault(turn.session, []).append(turn)
    found: list[Difference] = []
    for session, expected in sessions.items():
        found.extend(_differences(session, expected, await _stored(client, session)))
    return found


def pick_questions(turns: Sequence[Turn], count: int) -> list[Turn]:
    """Up to `count` questions that users asked, spread over the whole file."""
    asked = [turn for turn in turns if turn.role == "user" and _is_telling(turn.text)]
    step = max(1, len(asked) // count)
    return asked[step - 1 :: step][:count]


def _turn(number: int, line: str) -> Turn:
    """Raises ValueError (msgspec's errors are) that says what is wrong with the line."""
    said = msgspec.json.decode(line, type=_Line)
    for name in _Line.__struct_fields__:
        if "\0" in getattr(said, name):
            raise ValueError(f"U+0000 cannot be stored: {name}")
    return Turn(number, said.session, said.user, said.role, said.text, _time(said.time))


def _time(text: str) -> datetime:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(
            f"time is {text!r}, and no ISO 8601 such as 2026-08-31T08:30:00Z"
        ) from None
    time = time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    if time > datetime.now(UTC):
        raise ValueError(f"time is in the future: {text}")
    return time


def _check_order(turn: Turn, before: Turn | None) -> None:
    if before is None:
        return
    if turn.user != before.user:
        raise ValueError(
            f"session {turn.session} is that of {before.user} since line {before.line}, "
            f"and cannot be that of {turn.user} as well"
        )
    if turn.time < before.time:
        raise ValueError(f"time is before that of line {before.line} of the same session")


def _after(turn: Turn, before: Turn | None) -> Turn:
    """The turn, a tick after the one before it where both are said to be of one time."""
    if before is None or turn.time > before.time:
        return turn
    return replace(turn, time=before.time + TICK)


async def _open_session(client: AsyncClient, first: Turn) -> None:
    try:
        await client.create_session(
            first.user,
            session_id=first.session,
            request_id=f"replay-session-{_digest((first.session, first.user))}",
            timestamp=first.time,
            timeout_seconds=TURN_TIMEOUT_SECONDS,
        )
    except RequestFailed as error:
        raise ReplayError(f"The session {first.session} cannot be opened: {error}") from error


async def _store(client: AsyncClient, turn: Turn) -> None:
    try:
        await client.create(
            {"text": turn.text, "role": turn.role, "source_agent": turn.speaker},
            tags=["conversation", turn.role],
            created_at=turn.time,
            session_id=turn.session,
            request_id=turn.request_id,
            timestamp=turn.time,
            timeout_seconds=TURN_TIMEOUT_SECONDS,
        )
    except RequestFailed as error:
        raise ReplayError(f"Line {turn.line} cannot be stored: {error}") from error


def _is_telling(text: str) -> bool:
    return text.endswith("?") and len(text.split()) >= QUESTION_WORDS


async def _at_once(turns: Iterable[Turn], work: Callable[[Turn], Awaitable[None]]) -> None:
    """Do the work for each turn, IN_FLIGHT at a time. The first error ends it."""
    waiting: Iterator[Turn] = iter(turns)

    async def take() -> None:
        for turn in waiting:
            await work(turn)

    takers = [asyncio.create_task(take()) for _ in range(IN_FLIGHT)]
    try:
        await asyncio.gather(*takers)
    finally:
        for taker in takers:
            taker.cancel()


async def _stored(client: AsyncClient, session: str) -> list[Memory]:
    memories: list[Memory] = []
    while True:
        page = await client.batch_read(
            session_id=session,
            scope="session",
            sort_by="created_at",
            order="asc",
            limit=PAGE_SIZE,
            offset=len(memories),
        )
        memories.extend(page.memories)
        if not page.page_info.has_more or not page.memories:
            return memories


def _differences(
    session: str, expected: Sequence[Turn], stored: Sequence[Memory]
) -> Iterator[Difference]:
    said = [_told(turn.time, turn.speaker, turn.text) for turn in expected]
    kept = [_told(memory.created_at, memory.source_agent, memory.text) for memory in stored]
    for was_said, was_kept in zip_longest(said, kept):
        if was_said != was_kept:
            yield Difference(session, was_said, was_kept)


def _told(time: datetime, speaker: str | None, text: str) -> str:
    return f"{time.isoformat()} {speaker}: {text}"


def _digest(parts: Sequence[Any]) -> str:
    return blake2b(json.dumps(parts).encode(), digest_size=16).hexdigest()
