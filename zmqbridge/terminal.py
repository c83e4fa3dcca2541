"""What the command line shows: memories as lines and tables, and a progress bar."""

import sys
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.status import Status
from rich.table import Table
from rich.text import Text

from zmqbridge.client import Found, Memory

console = Console(highlight=False)
error_console = Console(stderr=True, highlight=False)


def show_json(value: Any) -> None:
    """Indented, one document, made for a pipe."""
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n")


def show_line(memory: Memory) -> None:
    """When, who and what, on one line."""
    line = Text.assemble(
        (when(memory.created_at), "dim"), " ", (speaker(memory), "bold"), " ", summary(memory)
    )
    console.print(line, soft_wrap=True)


def show_found(found: Sequence[Found]) -> None:
    table = Table("similarity", "when", "who", "what")
    for memory in found:
        table.add_row(
            f"{memory.similarity_score:.2f}",
            when(memory.created_at),
            Text(speaker(memory)),
            Text(summary(memory)),
        )
    console.print(table)


def show_text(text: str, style: str = "") -> None:
    """Text that may hold anything, as it is."""
    console.print(Text(printable(text), style), soft_wrap=True)


def show_error(message: str) -> None:
    error_console.print(Text(printable(message), "red"), soft_wrap=True)


def progress_bar() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=error_console,
    )


def status(text: str) -> Status:
    """Shown while something goes on, and gone after it."""
    return error_console.status(text)


def when(time: datetime) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%SZ")


def speaker(memory: Memory) -> str:
    return printable(memory.source_agent or "-")


def summary(memory: Memory) -> str:
    """The text, or where there is none the whole content."""
    return printable(memory.text or msgspec.json.encode(memory.content).decode())


def printable(text: str) -> str:
    """On one line, and without what would steer the terminal: anybody may have written it."""
    return "".join(sign if sign.isprintable() else " " for sign in text)
