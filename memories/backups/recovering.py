"""Restores the embedded server as it was at a moment. Called by `manage.py restore --to`."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
from django.core.exceptions import ImproperlyConfigured
from psycopg.conninfo import conninfo_to_dict

from memories.backups.archive import Base, choose_base, told
from memories.backups.bases import verify_base
from memories.backups.checking import check_migrations
from memories.backups.content import measure_content
from memories.backups.erasing import erase_again, gather_proofs
from memories.backups.errors import BackupError
from memories.backups.server import Server, in_one_line
from memories.backups.trying import try_searches
from memories.services.proofs import Proof, ProofFile
from memoryproject.postgres.archiving import read_system_id
from memoryproject.postgres.errors import ServerCannotRun, ServerDidNotStart
from memoryproject.postgres.launch import ServerAddress, ensure_running, leave, read_options
from memoryproject.postgres.layout import Layout
from memoryproject.postgres.recovery import Recovery, Target, out_of_use

_LAST_COMMIT = re.compile(r"last completed transaction was at log time (\S+ \S+)")
_TOO_SHORT = "recovery ended before configured recovery target was reached"


@dataclass(frozen=True, slots=True)
class Recovered:
    """`erased`: owners that had been erased since. `last_commit`: of the newest transaction that is
    in it; None where no WAL was needed.
    `aside`: where the present cluster was laid; None where there was none."""

    rows: int
    tables: int
    searches: int
    erased: int
    last_commit: datetime | None
    aside: Path | None


def read_moment(text: str) -> datetime | None:
    """None for `latest`. Raises BackupError where it is no time with a zone."""
    if text == "latest":
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise BackupError(
            f"--to is {text!r}: give a time such as 2026-01-31T08:30:00Z, or latest."
        ) from None
    if moment.tzinfo is None:
        raise BackupError(f"--to is {text!r}, which has no zone: add Z, or an offset as +02:00.")
    return moment.astimezone(UTC)


def learn_of_erasures(settings: dict[str, Any], file: ProofFile) -> str:
    """Write to the file whom the present cluster alone knows to be erased; it is about to go.

    Returns why it cannot be asked, or "". Raises BackupError where the file is damaged.
    """
    layout, bin_dir = _embedded(settings)
    if not layout.cluster.exists():
        return ""
    _, _, archive = read_options(settings["OPTIONS"])
    try:
        address = ensure_running(layout.data_dir, bin_dir, archive, linger_seconds=0)
        gather_proofs(_server(address, settings["NAME"]), file)
    except (ServerCannotRun, ServerDidNotStart, psycopg.Error) as error:
        return in_one_line(error)
    finally:
        leave(layout.data_dir)
    return ""


def recover(
    settings: dict[str, Any],
    archive_directory: Path,
    until: datetime | None,
    proofs: Sequence[Proof],
) -> Recovered:
    """Put the cluster as it was in the place of the present one, which is laid aside.

    `settings`: of the database. `proofs`: of erasures, to be repeated. Raises BackupError, and
    changes nothing then.
    """
    layout, bin_dir = _embedded(settings)
    system_id = read_system_id(layout.cluster) if layout.cluster.exists() else None
    base = choose_base(archive_directory, until, system_id)
    check_migrations(base.manifest.migrations, base.manifest.product_version)
    with _telling(), out_of_use(layout):
        recovery = Recovery(layout, bin_dir)
        with recovery.beside():
            verify_base(base)
            recovery.unpack(base.folder)
            recovery.add_segments(base.archive.wal)
            address = _run(recovery, base, until)
            recovered = _check(address, settings["NAME"], proofs)
            recovery.stop()
            recovery.archive_history(base.archive.wal)
            aside = recovery.take_the_place()
            return Recovered(*recovered, _last_commit(recovery.log()), aside)


def _embedded(settings: dict[str, Any]) -> tuple[Layout, Path | None]:
    if settings["ENGINE"] != "memoryproject.postgres":
        raise BackupError(
            "--to is for the embedded server; one of your own is recovered by its own means, such "
            "as pgBackRest: see docs/backups.md."
        )
    data_dir, bin_dir, _ = read_options(settings["OPTIONS"])
    data_dir.mkdir(parents=True, exist_ok=True)
    return Layout(data_dir.resolve()), bin_dir


def _run(recovery: Recovery, base: Base, until: datetime | None) -> ServerAddress:
    try:
        return recovery.run(Target(base.archive.wal, until))
    except ServerDidNotStart as error:
        log = recovery.log()
        if _TOO_SHORT in log:
            last = _last_commit(log) or base.manifest.ended_at
            raise BackupError(
                f"The archive ends with a change of {told(last)}, before that moment: give an "
                "earlier one, or latest."
            ) from error
        fatal = [line for line in log.splitlines() if "FATAL" in line or "PANIC" in line]
        raise BackupError(f"The recovery failed: {(fatal or [str(error)])[0]}") from error


def _check(
    address: ServerAddress, database: str, proofs: Sequence[Proof]
) -> tuple[int, int, int, int]:
    """Rows, tables, searches, and owners erased again. Reads every row, so that a damaged page is
    found."""
    server = _server(address, database)
    with server.connect(database) as connection:
        names = connection.execute("SELECT app || '.' || name FROM django_migrations ORDER BY id")
        check_migrations([name for (name,) in names.fetchall()], "unknown")
        content = measure_content(connection)
    rows = sum(table.rows for table in content.values())
    searches = try_searches(server, database)
    return rows, len(content), searches, erase_again(server, database, proofs)


def _server(address: ServerAddress, database: str) -> Server:
    parameters = conninfo_to_dict(address.dsn(database))
    return Server(database, {k: v for k, v in parameters.items() if k != "dbname"})


def _last_commit(log: str) -> datetime | None:
    found = _LAST_COMMIT.findall(log)
    return datetime.fromisoformat(found[-1]).astimezone(UTC) if found else None


@contextmanager
def _telling() -> Iterator[None]:
    try:
        yield
    except (ServerCannotRun, ImproperlyConfigured) as error:
        raise BackupError(str(error)) from error
    except psycopg.Error as error:
        raise BackupError(f"The recovered database cannot be read: {error}") from error
