"""A private, consistent copy of a file that its owner may be writing to. The source is only read.

SQLite itself would leave a `-shm` beside the file, and may fold a WAL into it. So the database is
copied with its WAL or journal, and SQLite recovers the copy. Meanwhile the locks of a reader are
held, as https://www.sqlite.org/lockingv3.html and https://www.sqlite.org/walformat.html tell them:
nobody writes to the database, folds the WAL into it, or drops the journal under the copy.
"""

import errno
import fcntl
import os
import shutil
import stat
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import Event
from typing import BinaryIO

from memories.importers.errors import ImportRefused

SQLITE_MAGIC = b"SQLite format 3\0"

_PENDING_BYTE = 0x40000000
_SHARED_FIRST, _SHARED_SIZE = _PENDING_BYTE + 2, 510
_WAL_CHECKPOINT_BYTE = 121  # of the -shm
_WAL_HEADER_BYTES = 32
_PAUSE_SECONDS = 0.02
_COPY_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Snapshot:
    """`path`: of the copy. `modified_at`: when the source was last written."""

    path: Path
    is_sqlite: bool
    modified_at: datetime


def take_snapshot(source: Path, folder: Path, patience_seconds: float = 10) -> Snapshot:
    """Copy the file, and what SQLite keeps beside it, into `folder`. Raises ImportRefused."""
    try:
        return _take(source, folder, time.monotonic() + patience_seconds)
    except OSError as error:
        raise ImportRefused(_why(source, folder, error)) from error


def _take(source: Path, folder: Path, deadline: float) -> Snapshot:
    _check_kind(source)
    source = source.resolve()  # SQLite keeps the WAL beside what a link leads to
    copy = folder / "store"
    while not _copied(source, copy, deadline):
        _wait(deadline, f"{source} is written to without a pause: stop its owner for a moment.")
    with copy.open("rb") as file:
        is_sqlite = file.read(len(SQLITE_MAGIC)) == SQLITE_MAGIC
    return Snapshot(copy, is_sqlite, datetime.fromtimestamp(source.stat().st_mtime, UTC))


def _copied(source: Path, copy: Path, deadline: float) -> bool:
    """False where the source has changed meanwhile."""
    with source.open("rb") as file:
        is_sqlite = file.read(len(SQLITE_MAGIC)) == SQLITE_MAGIC
        with _reading(source, file, deadline) if is_sqlite else nullcontext(True) as holds_wal:
            before = _state(source)
            _copy_all(source, file, copy, is_sqlite)
            if not holds_wal and _beside(source, "-shm").exists():
                return False  # opened in WAL mode just now, and perhaps folded in under the copy
            return _state(source) == before


def _check_kind(source: Path) -> None:
    status = source.stat()
    if stat.S_ISDIR(status.st_mode):
        raise ImportRefused(f"{source} is a directory: name the files in it.")
    if not stat.S_ISREG(status.st_mode):
        raise ImportRefused(f"{source} is no file: a pipe or device cannot be imported.")
    if status.st_size == 0:
        raise ImportRefused(f"{source} is empty: it has 0 bytes.")


def _copy_all(source: Path, file: BinaryIO, copy: Path, is_sqlite: bool) -> None:
    file.seek(0)
    with copy.open("wb") as target:
        shutil.copyfileobj(file, target, _COPY_BYTES)
    for suffix in ("-wal", "-journal") if is_sqlite else ():
        _beside(copy, suffix).unlink(missing_ok=True)
        with suppress(FileNotFoundError):
            shutil.copyfile(_beside(source, suffix), _beside(copy, suffix))


@contextmanager
def _reading(source: Path, file: BinaryIO, deadline: float) -> Iterator[bool]:
    """Hold what a reader holds, and keep the WAL from being folded in; whether there is one."""
    refusal = f"{source} is locked by a process that writes to it: try again when it is done."
    _lock(file, _PENDING_BYTE, 1, deadline, refusal)
    _lock(file, _SHARED_FIRST, _SHARED_SIZE, deadline, refusal)
    _set_lock(file, fcntl.F_UNLCK, _PENDING_BYTE, 1)
    try:
        shared = _beside(source, "-shm").open("rb")
    except FileNotFoundError:
        yield False  # nobody has it open in WAL mode
        return
    with shared:
        _lock(shared, _WAL_CHECKPOINT_BYTE, 1, deadline, refusal)
        yield True


def _lock(file: BinaryIO, start: int, size: int, deadline: float, refusal: str) -> None:
    while True:
        try:
            _set_lock(file, fcntl.F_RDLCK, start, size)
        except OSError as error:
            if error.errno not in (errno.EACCES, errno.EAGAIN):
                raise
            _wait(deadline, refusal)
        else:
            return


def _set_lock(file: BinaryIO, kind: int, start: int, size: int) -> None:
    """Of this open file and not of the process, which would not see its own other locks."""
    flock = struct.pack("hhqqi4x", kind, os.SEEK_SET, start, size, 0)
    fcntl.fcntl(file, fcntl.F_OFD_SETLK, flock)


def _wait(deadline: float, refusal: str) -> None:
    if time.monotonic() > deadline:
        raise ImportRefused(refusal)
    Event().wait(_PAUSE_SECONDS)


def _state(source: Path) -> tuple[int, int, bytes]:
    """What differs if the database was written, or its WAL begun anew. A longer WAL is no change:
    what was committed before is in the copy."""
    status = source.stat()
    try:
        with _beside(source, "-wal").open("rb") as wal:
            header = wal.read(_WAL_HEADER_BYTES)
    except FileNotFoundError:
        header = b""
    return status.st_size, status.st_mtime_ns, header


def _beside(source: Path, suffix: str) -> Path:
    return source.with_name(source.name + suffix)


def _why(source: Path, folder: Path, error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return f"{source} does not exist."
    if isinstance(error, PermissionError):
        return f"{source} cannot be read: permission denied to the user {os.geteuid()}."
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"{source} does not fit into {folder}: make room there, or set TMPDIR."
    return f"{source} cannot be read: {error.strerror or error}."
