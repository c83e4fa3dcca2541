"""Makes base backups: the whole cluster, from which the archived WAL leads to any later moment.

Called by `manage.py backup --base` and after a restore to a point in time.
"""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from memories.backups.archive import (
    BASE_PREFIX,
    MANIFEST_NAME,
    WAL_NAME,
    Base,
    BaseManifest,
    read_base,
)
from memories.backups.dumping import last_words
from memories.backups.errors import BackupError
from memories.backups.server import Server, find_program
from memories.backups.streams import sha256_of
from memoryproject import VERSION
from memoryproject.postgres.archiving import ClusterArchive, archive_of
from memoryproject.postgres.files import flush_directory, flush_to_disk
from memoryproject.postgres.locks import open_lock_file, try_to_lock_exclusively, unlock_and_close

_PARTIAL = f".{BASE_PREFIX}partial"


class _Range(msgspec.Struct, frozen=True, rename={"timeline": "Timeline", "start": "Start-LSN"}):
    timeline: int
    start: str


class _PostgresManifest(msgspec.Struct, frozen=True, rename={"ranges": "WAL-Ranges"}):
    """What counts here of the backup_manifest of PostgreSQL."""

    ranges: list[_Range]


def make_base(server: Server, archive_directory: Path) -> Base:
    """It has its name only when it lies on the disk whole, and was read back.

    Raises BackupError, OSError and psycopg.Error, and leaves nothing then.
    """
    archive = _archive_of(server, archive_directory)
    with _partial(archive) as partial:
        started_at = _now(server)
        command = server.command("pg_basebackup", server.database)
        command += [f"--pgdata={partial}", "--format=tar", "--compress=client-gzip:1"]
        command += ["--checkpoint=fast", "--wal-method=stream"]  # a spread one takes minutes
        _run(command, server.environment())
        manifest = _describe(server, partial, started_at)
        verify_base(Base(partial, manifest))
        with (partial / MANIFEST_NAME).open("xb") as file:
            file.write(msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n")
            flush_to_disk(file)
        flush_directory(partial)
        folder = archive.folder / f"{BASE_PREFIX}{manifest.ended_at:%Y%m%dT%H%M%S-%fZ}"
        partial.rename(folder)
        flush_directory(archive.folder)
    return read_base(folder)


def verify_base(base: Base) -> None:
    """Raises BackupError where a file is not what was backed up."""
    program = find_program("pg_verifybackup", base.manifest.postgres_version, wants_ssl=False)
    if sha256_of(base.folder / WAL_NAME, lambda size: None) != base.manifest.wal_sha256:
        raise BackupError(f"{base.folder / WAL_NAME} is damaged: its SHA-256 is another.")
    ignored = f"--ignore={MANIFEST_NAME}"
    _run([str(program), "--no-parse-wal", "--quiet", ignored, str(base.folder)], {"LC_ALL": "C"})


def _archive_of(server: Server, directory: Path) -> ClusterArchive:
    with server.connect() as connection:
        [(mode, system_id)] = connection.execute(
            "SELECT current_setting('archive_mode'), system_identifier FROM pg_control_system()"
        ).fetchall()
    archive = archive_of(directory, system_id)
    if mode == "off" or not archive.wal.is_dir():
        raise BackupError(
            f"The server does not archive its WAL into {directory}: set WAL_ARCHIVE=true, and stop "
            "all that use the server once, so that it starts anew."
        )
    return archive


@contextmanager
def _partial(archive: ClusterArchive) -> Iterator[Path]:
    lock = open_lock_file(archive.base_lock)
    partial = archive.folder / _PARTIAL
    try:
        if not try_to_lock_exclusively(lock):
            raise BackupError("Another base backup is being made: wait for it.")
        shutil.rmtree(partial, ignore_errors=True)  # the remains of one that was killed
        partial.mkdir(mode=0o700)
        try:
            yield partial
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    finally:
        unlock_and_close(lock)


def _now(server: Server) -> datetime:
    with server.connect() as connection:
        [(now,)] = connection.execute("SELECT clock_timestamp() AT TIME ZONE 'UTC'").fetchall()
    return now.replace(tzinfo=UTC)  # type: ignore[no-any-return]


def _describe(server: Server, partial: Path, started_at: datetime) -> BaseManifest:
    told = (partial / "backup_manifest").read_bytes()
    begin = msgspec.json.decode(told, type=_PostgresManifest).ranges[0]
    with server.connect(server.database) as connection:
        [(migrations, segment_bytes)] = connection.execute(
            """
            SELECT (SELECT array_agg(app || '.' || name ORDER BY id) FROM django_migrations),
                (SELECT setting::bigint FROM pg_settings WHERE name = 'wal_segment_size')"""
        ).fetchall()
        version = connection.info.server_version // 10_000
    return BaseManifest(
        product_version=VERSION,
        postgres_version=version,
        migrations=migrations or [],
        started_at=started_at,
        ended_at=_now(server),
        first_segment=_segment(begin, segment_bytes),
        wal_sha256=sha256_of(partial / WAL_NAME, lambda size: None),
        size_bytes=sum(path.stat().st_size for path in partial.iterdir()),
    )


def _segment(begin: _Range, segment_bytes: int) -> str:
    """Its name, as pg_walfile_name() says, which knows the present timeline alone."""
    high, _, low = begin.start.partition("/")
    return f"{begin.timeline:08X}{int(high, 16):08X}{int(low, 16) // segment_bytes:08X}"


def _run(command: list[str], environment: Mapping[str, str]) -> None:
    with (
        tempfile.TemporaryFile() as errors,
        subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stderr=errors, env=dict(environment)
        ) as process,
    ):
        try:
            failed = process.wait() != 0
        except BaseException:
            process.terminate()  # pg_basebackup tells the server then
            raise
        if failed:
            raise BackupError(f"{Path(command[0]).name} failed: {last_words(errors)}")
