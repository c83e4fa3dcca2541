"""The export as JSON lines: a header, each row as it is kept, and a checksum of all before it."""

import hashlib
from collections.abc import Callable
from typing import BinaryIO

import msgspec

from memories.changes import rows
from memories.exports.snapshot import stream
from memories.exports.tables import FORMAT, TABLES, VERSION
from memories.services.named_owner import Owner


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """The first line. It has no time: the same rows make the same bytes."""

    format: str
    version: int
    owner_id: str
    user_id: str
    counts: dict[str, int]
    left_out: str = (
        "vectors, which are made again unless clients gave them, "
        "and answers kept to recognise requests"
    )


class End(msgspec.Struct, frozen=True):
    lines: int
    sha256: str


class LastLine(msgspec.Struct, frozen=True):
    end: End


def count_rows(owner: Owner) -> dict[str, int]:
    found = {}
    for table in TABLES:
        sql = f"SELECT count(*) FROM {table.name} WHERE owner_id = %s"
        [(found[table.kind],)] = rows(sql, [owner.owner_id])
    return found


def count_given_vectors(owner: Owner) -> int:
    """Those that no embedder makes again."""
    sql = """
        SELECT count(*) FROM embeddings v JOIN embedding_models e ON e.id = v.model_id
        WHERE v.owner_id = %s AND e.kind = 'given'"""
    [(count,)] = rows(sql, [owner.owner_id])
    return int(count)


def write_lines(
    owner: Owner, counts: dict[str, int], file: BinaryIO, tell: Callable[[], None]
) -> End:
    """To be called in `one_moment`. `tell` hears of each row."""
    digest = hashlib.sha256()

    def write(line: bytes) -> None:
        digest.update(line)
        file.write(line)

    header = Header(
        format=FORMAT,
        version=VERSION,
        owner_id=str(owner.owner_id),
        user_id=owner.user_id,
        counts=counts,
    )
    write(msgspec.json.encode(header) + b"\n")
    lines = 1
    for table in TABLES:
        for (row,) in stream(table.rows_sql(), {"owner": owner.owner_id}):
            write(f'{{"{table.kind}":{row}}}\n'.encode())
            lines += 1
            tell()
    end = End(lines, digest.hexdigest())
    file.write(msgspec.json.encode(LastLine(end)) + b"\n")
    return end
