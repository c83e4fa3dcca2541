"""Files that are counted and hashed while they are read or written. Each block is told of."""

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

BLOCK_BYTES = 1 << 20

Tell = Callable[[int], None]
"""Hears the size in bytes of each block that went through."""


@dataclass(slots=True)
class CountedWriter:
    """`failure` keeps what a write raised, since the encryption turns it into its own."""

    file: IO[bytes]
    tell: Tell
    size_bytes: int = 0
    digest: Any = field(default_factory=hashlib.sha256)
    failure: BaseException | None = None

    def write(self, block: bytes) -> int:
        try:
            self._write_whole(block)
            self.digest.update(block)
            self.size_bytes += len(block)
            self.tell(len(block))
        except BaseException as error:
            self.failure = error
            raise
        return len(block)

    def _write_whole(self, block: bytes) -> None:
        """An unbuffered file may take a part, as when the disk fills."""
        rest = memoryview(block)
        while rest:
            rest = rest[self.file.write(rest) :]

    def flush(self) -> None:
        self.file.flush()


@dataclass(frozen=True, slots=True)
class CountedReader:
    file: IO[bytes]
    tell: Tell

    def read(self, size_bytes: int = BLOCK_BYTES) -> bytes:
        block = self.file.read(size_bytes)
        self.tell(len(block))
        return block


def forget_cached(path: Path) -> None:
    """So that the next reading is of the disk, and not of what the system remembers to have written
    there. Where it cannot, nothing happens."""
    if hasattr(os, "posix_fadvise"):
        with path.open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def sha256_of(path: Path, tell: Tell) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        reader = CountedReader(file, tell)
        while block := reader.read():
            digest.update(block)
    return digest.hexdigest()
