"""Proofs that owners were erased: in a table, and in a file that no restore of the database can
take back. Written by the erasure; read by the restore, which erases again."""

import fcntl
import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO
from uuid import UUID

import msgspec

from memories.changes import rows
from memories.errors import MemoriesError


class ProofsUnreadable(MemoriesError):
    """The file of erasures is damaged."""


class Proof(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`counts`: rows removed, by table; none while the erasure is at work, or was cut short.
    `owner_digest` tells only whoever knows the owner."""

    id: str
    owner_digest: str
    counts: dict[str, int]
    erased_at: datetime
    erased_by: str

    @property
    def is_complete(self) -> bool:
        return self.counts != {}


def completed(proof: Proof, counts: Mapping[str, int], at: datetime | None = None) -> Proof:
    """As it is when all is gone. One that is complete stays as it is."""
    if proof.is_complete:
        return proof
    removed = {table: count for table, count in sorted(counts.items()) if count}
    return msgspec.structs.replace(
        proof, counts=removed or {"sessions": 0}, erased_at=at or proof.erased_at
    )


def digest_of(owner_id: UUID) -> str:
    return hashlib.sha256(owner_id.bytes).hexdigest()


class ProofFile:
    """A line of JSON for each erasure when it begins, and one when it is complete."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "erasures.jsonl"

    def append(self, proofs: Iterable[Proof] = ()) -> None:
        """Without proofs it only makes sure that they could be written. Raises OSError."""
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(_whole_bytes(file))
            file.truncate()
            for proof in proofs:
                file.write(msgspec.json.encode(proof) + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def read(self) -> list[Proof]:
        """Raises ProofsUnreadable and OSError."""
        try:
            text = self.path.read_bytes()
        except FileNotFoundError:
            return []
        whole = text[: text.rfind(b"\n") + 1]  # the last line of an append that was cut off is none
        try:
            proofs = [msgspec.json.decode(line, type=Proof) for line in whole.splitlines()]
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise ProofsUnreadable(
                f"{self.path} is damaged: {error}. Mend it first: it says who was erased."
            ) from error
        return list({proof.id: proof for proof in proofs}.values())


def _whole_bytes(file: BinaryIO) -> int:
    """Up to the end of the last whole line."""
    return file.read().rfind(b"\n") + 1


def keep_in_table(proofs: Iterable[Proof]) -> None:
    """Those that it lacks, or has as they were when the erasure began."""
    for proof in proofs:
        rows(INSERT_PROOF, values_of(proof))


def sync_file(file: ProofFile) -> None:
    """Write what the table knows and the file lacks: a crash may have come between the two, or
    another machine has erased. Raises OSError and ProofsUnreadable."""
    known = {proof.id: proof for proof in file.read()}
    found = map(proof_of, rows(SELECT_PROOFS))
    if news := [proof for proof in found if is_news(proof, known.get(proof.id))]:
        file.append(news)


def is_news(proof: Proof, known: Proof | None) -> bool:
    """Whether it tells more than what is known of the same erasure."""
    return known is None or (proof.is_complete and not known.is_complete)


def begun_proof(owner_id: UUID) -> Proof | None:
    """Of an erasure of this owner that is at work, or was cut short."""
    found = map(proof_of, rows(SELECT_PROOFS_OF, [digest_of(owner_id)]))
    return next((proof for proof in found if not proof.is_complete), None)


def proof_of(row: Sequence[Any]) -> Proof:
    """Of a row of SELECT_PROOFS."""
    an_id, digest, counts, *rest = row
    return Proof(an_id, digest, msgspec.json.decode(counts, type=dict[str, int]), *rest)


def values_of(proof: Proof) -> dict[str, object]:
    values = msgspec.structs.asdict(proof)
    return values | {"counts": msgspec.json.encode(proof.counts).decode()}


_SELECT = "SELECT id, owner_digest, counts::text, erased_at, erased_by FROM erasures"
SELECT_PROOFS = f"{_SELECT} ORDER BY erased_at, id"
SELECT_PROOFS_OF = f"{_SELECT} WHERE owner_digest = %s ORDER BY erased_at, id"

INSERT_PROOF = """
INSERT INTO erasures AS e (id, owner_digest, counts, erased_at, erased_by)
VALUES (%(id)s, %(owner_digest)s, %(counts)s::jsonb, %(erased_at)s, %(erased_by)s)
ON CONFLICT (id) DO UPDATE SET counts = excluded.counts, erased_at = excluded.erased_at
WHERE e.counts = '{}' AND excluded.counts <> '{}'"""
