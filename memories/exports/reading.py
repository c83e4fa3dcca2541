"""Reads an export: is it one, is it whole, and then its rows in batches."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec

from memories import ids
from memories.exports.errors import ExportError
from memories.exports.tables import BY_KIND, FORMAT, VERSION, Table
from memories.exports.writing import Header, LastLine

_LINE_MAX_BYTES = 1 << 30  # of a text in PostgreSQL: every row that it wrote can be read
_BATCH_ROWS = 500
_BATCH_BYTES = 4 << 20


class Batch(NamedTuple):
    """Rows of one table, each as JSON text."""

    table: Table
    rows: list[bytes]


def is_export(path: Path) -> bool:
    """By how it begins, never by its name."""
    beginning = f'{{"format":"{FORMAT}"'.encode()
    try:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            return file.read(len(beginning)) == beginning
    except OSError:
        return False  # whoever imports it says why


def check_export(path: Path) -> Header:
    """Read it to its end, before anything of it is brought back. Raises ExportError, OSError."""
    digest = hashlib.sha256()
    lines, last = 0, b""
    for line in _lines(path):
        if lines:
            digest.update(last)
        last = line
        lines += 1
    try:
        end = msgspec.json.decode(last, type=LastLine).end
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise ExportError(f"{path} is cut short: its last line is missing.") from None
    if (end.lines, end.sha256) != (lines - 1, digest.hexdigest()):
        raise ExportError(f"{path} is damaged: its checksum is not that of its last line.")
    return _read_header(path)


def batches_of(path: Path) -> Iterator[Batch]:
    """Of an export that was checked."""
    batch: Batch | None = None
    size_bytes = 0
    for number, line in enumerate(_lines(path), start=1):
        if number == 1 or line.startswith(b'{"end":'):
            continue
        [(kind, row)] = _decode_row(path, number, line).items()
        full = batch and (len(batch.rows) >= _BATCH_ROWS or size_bytes > _BATCH_BYTES)
        if batch and (full or batch.table.kind != kind):
            yield batch
            batch = None
        if batch is None:
            batch, size_bytes = Batch(BY_KIND[kind], []), 0
        batch.rows.append(bytes(row))
        size_bytes += len(line)
    if batch:
        yield batch


def _decode_row(path: Path, number: int, line: bytes) -> dict[str, msgspec.Raw]:
    try:
        found = msgspec.json.decode(line, type=dict[str, msgspec.Raw])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ExportError(f"{path} cannot be read at line {number}: {error}.") from error
    if len(found) != 1 or not found.keys() <= BY_KIND.keys():
        kinds = ", ".join(found)
        raise ExportError(f"{path} has an unknown kind of row at line {number}: {kinds}.")
    return found


def _lines(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while line := file.readline(_LINE_MAX_BYTES):
            if not line.endswith(b"\n"):
                raise ExportError(f"{path} is cut short: it ends in the middle of a line.")
            yield line


def _read_header(path: Path) -> Header:
    with path.open("rb") as file:
        line = file.readline(_LINE_MAX_BYTES)
    try:
        header = msgspec.json.decode(line, type=Header)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ExportError(f"The first line of {path} cannot be read: {error}.") from error
    if header.version > VERSION:
        raise ExportError(f"{path} was written by a newer version: use that one.")
    if header.user_id and str(ids.owner_of_user(header.user_id)) != header.owner_id:
        raise ExportError(f"{path} is not the user {header.user_id!r}'s, as it says.")
    return header
