"""`manage.py tune_postgres`: settings that suit machine and workload, and what else is wrong."""

import re
import sys
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TextIO, cast

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError
from rich.console import Console
from rich.table import Table

from memories.tuning.applying import MayNotSet, apply_settings
from memories.tuning.comparing import Compared, compare, is_on_this_machine, read_workload
from memories.tuning.health import findings, lacking_indexes
from memoryproject.postgres.tuning import Machine, advise, measure_machine

_UNITS = {"MB": 1 << 20, "GB": 1 << 30, "TB": 1 << 40}
_WIDTH = 120


class Command(BaseCommand):
    help = "Compare PostgreSQL's settings with what suits the machine and its load, and set them."

    def add_arguments(self, parser: ArgumentParser) -> None:
        action = parser.add_mutually_exclusive_group()
        action.add_argument("--apply", action="store_true", help="set what differs")
        action.add_argument(
            "--check", action="store_true", help="show only what differs; exit code 1 if any does"
        )
        where = "of the server's machine, if it is another one"
        parser.add_argument("--memory", type=_size, metavar="SIZE", help=f"{where}, as 16GB")
        parser.add_argument("--free-disk", type=_size, metavar="SIZE", help=where)
        parser.add_argument("--cores", type=int, metavar="N", help=where)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            self._tune(options)
        except DatabaseError as error:
            said = " ".join(str(error).split()).rstrip(".")
            raise CommandError(f"The database failed: {said}.") from error

    def _tune(self, options: dict[str, Any]) -> None:
        machine = _machine(options)
        compared = compare(advise(machine, read_workload()))
        different = [each for each in compared if each.differs]
        shown = different if options["check"] else compared
        lacking = list(lacking_indexes())
        console = Console(file=cast(TextIO, self.stdout), width=_width())
        if shown:
            console.print(_table(shown))
        if machine.memory_bytes is None:
            console.print(
                "The server is on another machine: name its --memory, --free-disk and --cores, "
                "and their settings are looked at too."
            )
        for sentence in [*lacking, *findings()]:
            console.print(f"- {sentence}", markup=False, highlight=False, soft_wrap=True)
        if options["apply"]:
            console.print(_apply(different), markup=False, highlight=False, soft_wrap=True)
        elif options["check"] and (different or lacking):
            raise CommandError(
                f"Settings that differ: {len(different)}, indexes that are missing: "
                f"{len(lacking)}. --apply sets the settings."
            )
        elif not options["check"] and different:
            console.print(f"Settings that differ: {len(different)}. --apply sets them.")


def _machine(options: dict[str, Any]) -> Machine:
    machine = Machine(None, None, None)
    if is_on_this_machine():
        machine = measure_machine(Path(settings.DATA_DIR))
    named = {
        "memory_bytes": options["memory"],
        "free_disk_bytes": options["free_disk"],
        "cores": options["cores"],
    }
    return replace(machine, **{name: value for name, value in named.items() if value is not None})


def _width() -> int | None:
    return None if sys.stdout.isatty() else _WIDTH


def _table(compared: Sequence[Compared]) -> Table:
    table = Table("setting", "now", "advised", "because")
    for each in compared:
        advised = each.advice.value + (" (restart)" if each.differs and each.needs_restart else "")
        style = "bold" if each.differs else "dim"
        table.add_row(each.advice.name, each.now, advised, each.advice.reason, style=style)
    return table


def _apply(different: Sequence[Compared]) -> str:
    if not different:
        return "Nothing to set."
    wanted = {each.advice.name: each.advice.value for each in different}
    try:
        where = apply_settings(wanted)
    except MayNotSet as error:
        raise CommandError(str(error)) from error
    waiting = [each.advice.name for each in different if each.needs_restart]
    said = f"Set in {where}: {', '.join(wanted)}."
    return f"{said} A restart is needed for {', '.join(waiting)}." if waiting else said


def _size(text: str) -> int:
    match = re.fullmatch(r"(\d+)\s*(MB|GB|TB)", text)
    if match is None:
        raise ArgumentTypeError(f"{text!r} is no size such as 512MB or 16GB")
    return int(match[1]) * _UNITS[match[2]]
