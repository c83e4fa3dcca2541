"""Makes a backup: a dump and its manifest, both of one snapshot. Called by `manage.py backup`."""

import fcntl
import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import psycopg
from psycopg import sql

from memories.backups.content import measure_content
from memories.backups.errors import BackupError
from memories.backups.manifest import Manifest, encode_manifest, manifest_path
from memories.backups.sealing import SUFFIX, seal
from memories.backups.server import Server
from memories.backups.streams import CountedWriter, Tell, forget_cached, sha256_of
from memoryproject import VERSION
from memoryproject.postgres.files import flush_directory, flush_to_disk

PREFIX = "memories-"
_PARTIAL = ".partial"


@dataclass(frozen=True, slots=True)
class Dump:
    """What pg_dump wrote, under its temporary name."""

    path: Path
    size_bytes: int
    sha256: str


def database_size_bytes(server: Server) -> int:
    with server.connect(server.database) as connection:
        [(size,)] = connection.execute("SELECT pg_database_size(current_database())").fetchall()
    return int(size)


def make_backup(server: Server, folder: Path, recipients: list[Any], tell: Tell) -> Path:
    """The path of a new backup, encrypted where there are recipients. `tell` hears of each block.

    It has its name only when it lies on the disk whole, and was read back. Raises BackupError,
    OSError and psycopg.Error, and leaves nothing then.
    """
    make_folder(folder)
    made_at = datetime.now(UTC)
    name = f"{PREFIX}{made_at:%Y%m%dT%H%M%S-%fZ}.dump" + (SUFFIX if recipients else "")
    with server.connect(server.database) as connection, _partial(folder / name) as file:
        _require_tables(connection)
        connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        [(snapshot,)] = connection.execute("SELECT pg_export_snapshot()").fetchall()
        dump = _dump(server, snapshot, file, recipients, tell)
        manifest = _describe(server, connection, dump, made_at, bool(recipients))
        _check_what_was_written(dump)
        _name(dump, folder / name, manifest)
    return folder / name


def _check_what_was_written(dump: Dump) -> None:
    """Read the dump back. Raises BackupError where the disk gives back something else."""
    forget_cached(dump.path)
    if sha256_of(dump.path, lambda size: None) != dump.sha256:
        raise BackupError(
            f"The backup in {dump.path.parent} reads otherwise than it was written: check the disk."
        )


def make_folder(folder: Path) -> None:
    """Closed to others, if it is new: whoever reads a backup reads everything."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise BackupError(f"{folder} is no folder: name one with --to.") from None


@contextmanager
def _partial(path: Path) -> Iterator[IO[bytes]]:
    """A file with a temporary name, gone at the end unless it was renamed.

    It is locked meanwhile, so that a later backup knows the remains of one that was killed.
    """
    _remove_remains(path.parent)
    partial = path.with_name(f".{path.name}{_PARTIAL}")
    try:
        with partial.open("xb", buffering=0) as file:
            os.fchmod(file.fileno(), 0o600)
            fcntl.flock(file, fcntl.LOCK_EX)
            yield file
    finally:
        partial.unlink(missing_ok=True)


def _remove_remains(folder: Path) -> None:
    for remains in folder.glob(f".{PREFIX}*{_PARTIAL}"):
        with remains.open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:  # a backup that is being made
                continue
            remains.unlink(missing_ok=True)


def _dump(
    server: Server, snapshot: str, file: IO[bytes], recipients: list[Any], tell: Tell
) -> Dump:
    command = server.command("pg_dump", server.database)
    command += ["--format=custom", f"--snapshot={snapshot}"]
    writer = CountedWriter(file, tell)
    with (
        tempfile.TemporaryFile() as errors,
        subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=errors, env=server.environment()
        ) as process,
    ):
        assert process.stdout is not None
        try:
            seal(process.stdout, writer, recipients)
        except BaseException:
            process.kill()
            raise
        if process.wait() != 0:
            raise BackupError(f"pg_dump failed: {last_words(errors)}")
    flush_to_disk(file)  # type: ignore[arg-type]
    return Dump(Path(file.name), writer.size_bytes, writer.digest.hexdigest())


def last_words(errors: IO[bytes]) -> str:
    """The first error that a program of PostgreSQL told of, in one line."""
    errors.seek(0)
    lines = errors.read(1 << 16).decode(errors="replace").splitlines()
    told = [line for line in lines if "error:" in line] or lines[-1:] or ["it said nothing."]
    return told[0].strip()


def _require_tables(connection: "psycopg.Connection[Any]") -> None:
    if connection.execute("SELECT to_regclass('django_migrations')").fetchall() == [(None,)]:
        raise BackupError("There are no tables yet: run `manage.py migrate` first.")


def _describe(
    server: Server,
    connection: "psycopg.Connection[Any]",
    dump: Dump,
    made_at: datetime,
    encrypted: bool,
) -> Manifest:
    migrations = connection.execute(
        "SELECT app, name FROM django_migrations ORDER BY id"
    ).fetchall()
    ours = [name for app, name in migrations if app == "memories"]
    [(postgres,)] = connection.execute(sql.SQL("SHOW server_version")).fetchall()
    vector = connection.execute("SELECT extversion FROM pg_extension WHERE extname = 'vector'")
    return Manifest(
        product_version=VERSION,
        database=server.database,
        postgres_version=postgres,
        pgvector_version=next((version for (version,) in vector), ""),
        newest_migration=max(ours, default=""),
        migrations=[f"{app}.{name}" for app, name in migrations],
        made_at=made_at,
        encrypted=encrypted,
        size_bytes=dump.size_bytes,
        sha256=dump.sha256,
        content=measure_content(connection),
    )


def _name(dump: Dump, path: Path, manifest: Manifest) -> None:
    """The manifest comes last: a dump without one counts as none."""
    beside = manifest_path(path)
    partial = dump.path.with_name(f".{beside.name}{_PARTIAL}")
    try:
        with partial.open("xb") as file:
            os.fchmod(file.fileno(), 0o600)
            file.write(encode_manifest(manifest))
            flush_to_disk(file)
        dump.path.rename(path)
        partial.rename(beside)
        flush_directory(path.parent)
    except BaseException:
        for left in (partial, path, beside):
            left.unlink(missing_ok=True)
        raise
