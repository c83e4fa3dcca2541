"""The command line: `python -m zmqbridge create|read|search|tail|replay|demo`.

Exit codes: 0, 1 for an error that is told in one sentence, 2 for wrong usage.
"""

import argparse
import asyncio
import math
import os
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Event
from typing import TypeAlias

from zmqbridge import replay, terminal
from zmqbridge.client import DEFAULT_ENDPOINT, AsyncClient, Client, ClientError, Unreachable
from zmqbridge.tail import PAGE_SIZE as TAIL_PAGE
from zmqbridge.tail import Tail

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
Run = Callable[[argparse.Namespace], None]

QUESTIONS = 5
DIFFERENCES_SHOWN = 10
VECTORS_SECONDS = 30.0
PAUSE_SECONDS = 0.2
FAILED = 1
INTERRUPTED = 130


class CommandFailed(Exception):
    """A command that ends with exit code 1 and this sentence."""


def main(arguments: Sequence[str] | None = None) -> int:
    asked = _parser().parse_args(arguments)
    try:
        asked.run(asked)
    except Unreachable:
        terminal.show_error(
            f"No orchestrator answers at {asked.endpoint}: start one with `make run`, "
            "or name another with --endpoint."
        )
        return FAILED
    except (ClientError, CommandFailed, replay.ReplayError) as error:
        terminal.show_error(str(error))
        return FAILED
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read has enough; without this the interpreter complains when it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    return 0


def create(asked: argparse.Namespace) -> None:
    with _client(asked) as client:
        stored = client.create(
            asked.text,
            memory_type=asked.type,
            tags=asked.tag,
            priority=asked.priority,
            ttl_seconds=asked.ttl,
        )
    if asked.json:
        terminal.show_json(stored)
    else:
        terminal.show_text(stored.memory_id)


def read(asked: argparse.Namespace) -> None:
    with _client(asked) as client:
        memory = client.read(asked.memory_id)
    if asked.json:
        terminal.show_json(memory)
    else:
        terminal.show_line(memory)


def search(asked: argparse.Namespace) -> None:
    with _client(asked) as client:
        found = client.search(
            asked.query,
            search_type=asked.type,
            tags=asked.tag,
            scope=asked.scope,
            limit=asked.limit,
        )
    if asked.json:
        terminal.show_json(found)
    elif found.results:
        terminal.show_found(found.results)
    else:
        terminal.show_text("Nothing found.")


def tail(asked: argparse.Namespace) -> None:
    with _client(asked) as client, suppress(KeyboardInterrupt):
        session_id = asked.session or _newest_session(client, asked.user)
        follower = Tail(client, session_id, "user" if asked.user else "session", terminal.show_line)
        follower.follow(asked.lines, asked.interval, Event())


def replay_file(asked: argparse.Namespace) -> None:
    turns = replay.read_turns(asked.file)
    asyncio.run(_with_client(asked, lambda client: _replay(client, turns)))


def demo(asked: argparse.Namespace) -> None:
    turns = replay.read_turns(asked.file)
    asyncio.run(_with_client(asked, lambda client: _demo(client, turns)))


async def _with_client(
    asked: argparse.Namespace, work: Callable[[AsyncClient], Awaitable[None]]
) -> None:
    async with AsyncClient(asked.endpoint, timeout_seconds=asked.timeout) as client:
        await client.ping()  # nobody there is told within the timeout, not after that of a turn
        await work(client)


async def _replay(client: AsyncClient, turns: Sequence[replay.Turn]) -> None:
    started = time.perf_counter()
    with terminal.progress_bar() as progress:
        task = progress.add_task("storing", total=len(turns))
        await replay.store_turns(client, turns, lambda: progress.advance(task))
    seconds = time.perf_counter() - started
    sessions = len({turn.session for turn in turns})
    terminal.show_text(
        f"{len(turns)} turns of {sessions} sessions in {seconds:.2f} s, "
        f"{len(turns) / seconds:.0f} turns a second"
    )


async def _demo(client: AsyncClient, turns: Sequence[replay.Turn]) -> None:
    await _replay(client, turns)
    differences = await replay.compare(client, turns)
    for difference in differences[:DIFFERENCES_SHOWN]:
        terminal.show_text(f"session {difference.session}", "bold")
        terminal.show_text(f"  file:   {difference.expected or 'nothing'}")
        terminal.show_text(f"  stored: {difference.stored or 'nothing'}")
    if differences:
        raise CommandFailed(
            f"What was read back is not what the file has; differences: {len(differences)}."
        )
    terminal.show_text(f"{len(turns)} turns read back; order, speaker, text and time are the same")
    deadline = time.monotonic() + VECTORS_SECONDS
    for question in replay.pick_questions(turns, QUESTIONS):
        await _ask(client, question, deadline)


async def _ask(client: AsyncClient, question: replay.Turn, deadline: float) -> None:
    """Search once the memories have their vectors, or at the deadline (monotonic): what was stored
    a moment ago is found by its words alone as yet."""
    terminal.show_text(f"{question.user} asks: {question.text}", "bold")
    with terminal.status("waiting for the vectors of new memories"):
        while True:
            found = await client.search(question.text, session_id=question.session, limit=4)
            if not found.search_metadata.pending or time.monotonic() > deadline:
                break
            await asyncio.sleep(PAUSE_SECONDS)
    # The question itself is a memory too, and answers nothing.
    terminal.show_found([memory for memory in found.results if memory.text != question.text])


def _newest_session(client: Client, user_id: str) -> str:
    sessions = client.list_sessions(user_id, limit=1).sessions
    if not sessions:
        raise CommandFailed(f"The user {user_id} has no session.")
    return sessions[0].session_id


def _client(asked: argparse.Namespace) -> Client:
    session = getattr(asked, "session", None)
    return Client(asked.endpoint, session_id=session, timeout_seconds=asked.timeout)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m zmqbridge", description="Talk to a memory orchestrator."
    )
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    _add_create(commands)
    _add_read(commands)
    _add_search(commands)
    _add_tail(commands)
    _add_file_command(commands, "replay", replay_file, "store the conversations of a file")
    _add_file_command(
        commands, "demo", demo, "store a file's conversations, read them back, compare, search"
    )
    return parser


def _add_create(commands: Commands) -> None:
    parser = _add(commands, "create", create, "store a memory")
    parser.add_argument("text")
    parser.add_argument("--session", required=True, help="session to store it in")
    parser.add_argument("--type", default="conversation", help="memory type (%(default)s)")
    parser.add_argument("--tag", action="append", help="may be repeated")
    parser.add_argument("--priority", type=int, help="1 to 10 (5)")
    parser.add_argument("--ttl", type=int, metavar="SECONDS", help="forget it after that time")
    parser.add_argument("--json", action="store_true", help="print JSON")


def _add_read(commands: Commands) -> None:
    parser = _add(commands, "read", read, "show a memory")
    parser.add_argument("memory_id")
    parser.add_argument("--session", help="session to read in; memories are found from any")
    parser.add_argument("--json", action="store_true", help="print JSON")


def _add_search(commands: Commands) -> None:
    parser = _add(commands, "search", search, "find memories")
    parser.add_argument("query")
    parser.add_argument("--session", required=True, help="session that asks")
    parser.add_argument("--scope", choices=["session", "user", "all"], help="(its user's)")
    parser.add_argument("--type", choices=["semantic", "keyword", "hybrid"], help="(hybrid)")
    parser.add_argument("--tag", action="append", help="may be repeated; any of them")
    parser.add_argument("--limit", type=int, help="1 to 100 (5)")
    parser.add_argument("--json", action="store_true", help="print JSON")


def _add_tail(commands: Commands) -> None:
    parser = _add(commands, "tail", tail, "follow the newest memories until Ctrl-C")
    whose = parser.add_mutually_exclusive_group(required=True)
    whose.add_argument("--session", help="of this session")
    whose.add_argument("--user", help="of all sessions of this user")
    parser.add_argument("--lines", type=_lines, default=10, help="so many at first (%(default)s)")
    parser.add_argument(
        "--interval", type=_seconds, default=1.0, metavar="SECONDS", help="(%(default)s)"
    )


def _add_file_command(commands: Commands, name: str, run: Run, purpose: str) -> None:
    parser = _add(commands, name, run, purpose)
    parser.add_argument(
        "file", type=Path, help="JSON lines: session, user, role, text, time (kept as created_at)"
    )


def _add(commands: Commands, name: str, run: Run, purpose: str) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=purpose, description=purpose)
    parser.set_defaults(run=run)
    parser.add_argument("--endpoint", default=DEFAULT_ENDPOINT, help="(%(default)s)")
    parser.add_argument(
        "--timeout", type=_seconds, default=5.0, metavar="SECONDS", help="(%(default)s)"
    )
    return parser


def _seconds(text: str) -> float:
    with suppress(ValueError):
        if 0 < (seconds := float(text)) < math.inf:
            return seconds
    raise argparse.ArgumentTypeError(f"{text} is no number of seconds above 0")


def _lines(text: str) -> int:
    with suppress(ValueError):
        if 0 <= (count := int(text)) <= TAIL_PAGE:
            return count
    raise argparse.ArgumentTypeError(f"{text} is no whole number from 0 to {TAIL_PAGE}")


if __name__ == "__main__":
    sys.exit(main())
