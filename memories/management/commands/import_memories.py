"""`manage.py import_memories`: bring old stores over, and compare both sides afterwards."""

import logging
import sqlite3
import sys
import time
from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import Event
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, InterfaceError, OperationalError, connection
from rich.console import Console
from rich.progress import Progress

from memories.exports.bringing_back import BringingBack, refuse_erased
from memories.exports.errors import ExportError
from memories.exports.reading import check_export, is_export
from memories.importers.errors import ImportRefused, ReportNotWritten
from memories.importers.following import Reading
from memories.importers.importing import Import
from memories.importers.kinds import opened, recognise
from memories.importers.report import Report
from memories.importers.stores import OldStore
from memories.importers.telling import finding_lines
from memories.importers.verifying import Verification
from memories.importers.walk import Walk
from memories.management.failures import ended_by_sigterm
from memories.management.reading import add_reading_options, read_reading_options
from memories.services.imports import ImportFinding, record_report
from memories.startup import prepare_database

_INTERRUPTED = 130
logger = logging.getLogger(__name__)


class Command(BaseCommand):
    help = (
        "Import the SQLite and JSON files of older assistants, and what export_owner wrote. Each "
        "is recognised by what is in it and only read. A second run, or one with a longer copy of "
        "a file, adds what is new."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("paths", nargs="+", type=Path, metavar="PATH")
        only = parser.add_mutually_exclusive_group()
        only.add_argument(
            "--dry-run", action="store_true", help="tell what would be done, and write nothing"
        )
        only.add_argument(
            "--verify", action="store_true", help="only compare the files with what is stored"
        )
        add_reading_options(parser)
        parser.add_argument("--progress", action="store_true", help="show a progress bar")
        parser.add_argument(
            "--report", type=Path, metavar="FILE", help="write what was changed or skipped there"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        asked = _asked(options)
        with ended_by_sigterm():
            self._import(options, asked)

    def _import(self, options: dict[str, Any], asked: "_Asked") -> None:
        try:
            self._prepare(asked)
            with Report(asked.report) as report:
                if options["report"]:
                    report.open()
                try:
                    failed = [
                        path for path in options["paths"] if not self._file(path, asked, report)
                    ]
                finally:
                    self._tell_report(report, options["paths"], asked)
        except (OperationalError, InterfaceError) as error:
            why = " ".join(str(error).split())
            raise CommandError(
                f"The database does not answer: {why}. What was imported is kept; run the same "
                "command again, and it goes on where it stopped."
            ) from error
        except KeyboardInterrupt:
            raise CommandError(
                "Stopped. Run the same command again, and it goes on where it stopped.",
                returncode=_INTERRUPTED,
            ) from None
        except DatabaseError as error:
            why = " ".join(str(error).split())
            raise CommandError(f"The database refused the import: {why}.") from error
        except ReportNotWritten as error:
            raise CommandError(f"{error} What was imported is kept.") from error
        if failed:
            raise CommandError(f"Not all is here as it should be: {', '.join(map(str, failed))}.")

    def _prepare(self, asked: "_Asked") -> None:
        if asked.writes:
            for warning in prepare_database(migrate=True, stop=Event()):
                self.stderr.write(warning)
        elif "memory_entries" not in connection.introspection.table_names():
            raise CommandError("There are no tables yet: run `manage.py migrate` first.")

    def _file(self, path: Path, asked: "_Asked", report: Report) -> bool:
        """Whether all of the file is now here, or could be."""
        try:
            if not asked.reading.format and is_export(path):
                return self._export(path, asked, report)
            with opened(path, asked.reading.zone, asked.reading.user, report) as source:
                stores = recognise(source, asked.reading.format)
                done = [self._store(store, asked) for store in stores]
            return all(done)
        except (ImportRefused, ExportError) as error:
            self.stderr.write(str(error))
        except sqlite3.DatabaseError as error:
            self.stderr.write(f"{path} cannot be read to its end: {error}.")
        except OSError as error:
            where = error.filename or path
            self.stderr.write(f"{path} could not be imported: {where}: {error.strerror or error}.")
        except (OperationalError, InterfaceError, ReportNotWritten):
            raise
        except Exception as error:  # of this file; the others are imported all the same
            logger.exception("%s could not be imported", path)
            self.stderr.write(
                f"{path} could not be imported to its end: {type(error).__name__}, see the log. "
                "What was imported of it is kept."
            )
        return False

    def _export(self, path: Path, asked: "_Asked", report: Report) -> bool:
        """What export_owner wrote: rows as they were, and no old store."""
        header = check_export(path)
        if not asked.reading.erased_too:
            refuse_erased(path, header)
        whose = f"the user {header.user_id}" if header.user_id else f"the owner {header.owner_id}"
        self.stdout.write(f"{path}: an export of {whose}")

        def note(kind: str, key: str) -> None:
            report.note(str(path), kind, key, "other content stands here", "left as it is")

        bringing = BringingBack(path, header, asked.writes, note)
        shown = Progress(console=Console(file=sys.stderr), disable=not asked.shows_progress)
        with shown as bar:
            task = bar.add_task("importing", total=sum(header.counts.values()))
            for count in bringing.steps():
                bar.advance(task, count)
        new = "new" if asked.writes else "not here"
        for kind, tally in bringing.tallies.items():
            told = f"{tally.new} {new}, {tally.known} known"
            told += f", {tally.differing} with other content here" if tally.differing else ""
            self.stdout.write(
                f"  {kind}, {tally.read} {'row' if tally.read == 1 else 'rows'}: {told}"
            )
        lacks = asked.verifies_only and any(tally.new for tally in bringing.tallies.values())
        return bringing.is_whole and not lacks

    def _store(self, store: OldStore, asked: "_Asked") -> bool:
        source = store.source
        before = source.report.counts.copy()
        self.stdout.write(f"{source.path}: {store.name}")
        if not asked.verifies_only:
            self._walk(Import(store, asked.writes, asked.reading.erased_too), asked)
        is_whole = True
        if asked.writes or asked.verifies_only:
            is_whole = self._walk(Verification(store, asked.reading.erased_too), asked)
        for line in finding_lines(source.report.counts - before):
            self.stdout.write(line)
        return is_whole

    def _walk(self, walk: Walk, asked: "_Asked") -> bool:
        began = time.monotonic()
        with _progress(walk, asked.shows_progress) as progress:
            walk.go(progress)
        seconds = time.monotonic() - began
        count = sum(tally.read for tally in walk.tallies.values())
        for line in walk.lines():
            self.stdout.write(line)
        self.stdout.write(
            f"  {walk.title}: {count} rows in {seconds:.1f} s, {count / seconds:.0f} a second"
        )
        return walk.is_in_order()

    def _tell_report(self, report: Report, paths: list[Path], asked: "_Asked") -> None:
        """To the person, and to those who look into the admin later; also where it was stopped."""
        if not report.is_written or report.path is None:
            return
        self.stdout.write(f"What was changed or skipped: {report.path}")
        if not report.counts or asked.is_dry:
            return
        with suppress(DatabaseError, InterfaceError):  # the file is there in any case
            record_report(
                ", ".join(map(str, paths)),
                str(report.path.absolute()),
                asked.began_at,
                datetime.now(UTC),
                [ImportFinding(*told, count) for told, count in report.counts.items()],
            )


@dataclass(frozen=True, slots=True)
class _Asked:
    began_at: datetime
    writes: bool
    is_dry: bool
    verifies_only: bool
    reading: Reading
    shows_progress: bool
    report: Path | None


def _asked(options: dict[str, Any]) -> _Asked:
    writes = not options["dry_run"] and not options["verify"]
    began_at = datetime.now(UTC)
    name = f"{began_at:%Y%m%d-%H%M%S-%f}.jsonl"
    return _Asked(
        began_at,
        writes,
        options["dry_run"],
        options["verify"],
        read_reading_options(options),
        options["progress"],
        options["report"] or (settings.DATA_DIR / "imports" / name if writes else None),
    )


@contextmanager
def _progress(walk: Walk, shows: bool) -> Iterator[Callable[[int], None]]:
    if not shows:
        yield lambda rows: None
        return
    with Progress(console=Console(file=sys.stderr)) as bar:
        task = bar.add_task(walk.title, total=walk.total())
        yield lambda rows: bar.advance(task, rows)
