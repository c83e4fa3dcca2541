"""`manage.py mirror_memories`: follow an old store that is still written to."""

import signal
import sqlite3
import sys
from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from threading import Event
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, InterfaceError, connection
from rich.console import Console

from memories.importers.comparing import Comparison
from memories.importers.errors import ImportRefused, TooManyVanished
from memories.importers.following import Follower, Reading, Round, Stopped
from memories.importers.kinds import opened, recognise
from memories.importers.mirror_state import MirrorState, opened_state
from memories.importers.mirroring import still_here
from memories.importers.report import Report
from memories.importers.telling import finding_lines
from memories.management.reading import add_reading_options, read_reading_options
from memories.startup import prepare_database

Failure = (ImportRefused, sqlite3.DatabaseError, DatabaseError, InterfaceError)


class Command(BaseCommand):
    help = (
        "Follow a store of an older assistant while it is still written to: what is new, changed "
        "and deleted there comes over every few seconds, until Ctrl-C or SIGTERM. A second run "
        "goes on where the first stopped."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("path", type=Path, metavar="PATH")
        add_reading_options(parser)
        parser.add_argument(
            "--every", type=float, default=2.0, metavar="SECONDS", help="between two looks (2)"
        )
        what = parser.add_mutually_exclusive_group()
        what.add_argument("--once", action="store_true", help="one round, and no waiting")
        what.add_argument(
            "--compare",
            action="store_true",
            help="only compare both sides; the exit code is 1 where they differ",
        )
        parser.add_argument(
            "--delete-many",
            action="store_true",
            help="even if most of what was known has vanished from the file",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if not 0.1 <= options["every"] <= 86_400:
            raise CommandError(f"--every is {options['every']:g}; it must be from 0.1 to 86400.")
        path: Path = options["path"]
        reading = read_reading_options(options)
        stop = _stop_on_signals()
        for warning in prepare_database(migrate=not options["compare"], stop=stop):
            self.stderr.write(warning)
        try:
            folder, alone = settings.DATA_DIR / "mirrors", not options["compare"]
            with opened_state(folder, path, reading.user, alone=alone) as state:
                if options["compare"]:
                    self._compare(path, reading, state)
                    return
                follower = Follower(path, reading, state, stop, options["delete_many"])
                self._follow(follower, stop, options["every"], options["once"])
        except Failure as error:
            raise CommandError(_sentence(path, error)) from error
        except OSError as error:
            raise CommandError(f"{error.filename}: {error.strerror}.") from error

    def _follow(self, follower: Follower, stop: Event, every_seconds: float, once: bool) -> None:
        """The first round has to succeed; a later one that fails is tried again."""
        failure = ""
        with _status() as show:
            while not stop.is_set():
                try:
                    if follower.has_changed():
                        self._tell(follower.bring_over(_counting(show)))
                    failure = ""
                except Stopped:
                    break
                except Failure as error:
                    if once or not follower.has_succeeded or isinstance(error, TooManyVanished):
                        raise
                    connection.close()
                    if failure != (failure := _sentence(follower.path, error)):
                        self.stderr.write(f"{failure} It is tried again.")
                if once:
                    return
                show(failure or f"up to date; the next look in {every_seconds:g} s, Ctrl-C ends")
                stop.wait(every_seconds)
        self.stdout.write("Stopped. The next run goes on here.")

    def _tell(self, done: Round) -> None:
        self.stdout.write(
            f"{datetime.now(UTC):%H:%M:%S} UTC: {done.new} new, {done.changed} changed, "
            f"{done.deleted} deleted in {done.seconds:.1f} s; {done.behind_seconds:.1f} s behind"
        )
        for line in finding_lines(done.findings):
            self.stdout.write(line)
        self.stdout.flush()

    def _compare(self, path: Path, reading: Reading, state: MirrorState) -> None:
        differences = 0
        with opened(path, reading.zone, reading.user, Report()) as source:
            for store in recognise(source, reading.format):
                self.stdout.write(f"{path}: {store.name}")
                comparison = Comparison(store, self._difference, reading.erased_too)
                comparison.go(lambda rows: None)
                for line in comparison.lines():
                    self.stdout.write(line)
                differences += comparison.differences or not comparison.is_in_order()
        for memory_id in still_here(state):
            self._difference("memories", memory_id, "is gone from the file, and not from here")
            differences += 1
        if differences:
            raise CommandError(f"{differences} differences between {path} and what is here.")
        self.stdout.write("Both sides hold the same.")

    def _difference(self, table: str, row: str, found: str) -> None:
        self.stdout.write(f"  {table} {row}: {found}")


def _stop_on_signals() -> Event:
    stop = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return stop


def _sentence(path: Path, error: Exception) -> str:
    told = " ".join(str(error).split()).rstrip(".")
    if isinstance(error, ImportRefused):
        return f"{told}."
    if isinstance(error, sqlite3.DatabaseError):
        return f"{path} cannot be read to its end: {told}."
    return f"The database does not answer: {told}."


@contextmanager
def _status() -> Iterator[Callable[[str], None]]:
    """A line that changes, on a terminal; nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda text: None
        return
    with Console(stderr=True, highlight=False).status("reading") as status:
        yield status.update


def _counting(show: Callable[[str], None]) -> Callable[[int], None]:
    total = 0

    def count(rows: int) -> None:
        nonlocal total
        total += rows
        show(f"{total:,} rows read")

    return count
