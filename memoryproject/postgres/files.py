"""Writes files where another account may write too: no link of its making is followed."""

import os
from pathlib import Path
from typing import BinaryIO

from memoryproject.postgres.account import Account


def open_new_file(path: Path) -> BinaryIO:
    """A new file that only its owner reads, in place of what stood there."""
    path.unlink(missing_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    return os.fdopen(os.open(path, flags, 0o600), "wb")


def write_owned(path: Path, text: str, account: Account) -> None:
    """Write a file that only the account reads, whole or not at all."""
    partial = path.with_name(f"{path.name}.partial")
    with open_new_file(partial) as file:
        file.write(text.encode())
        flush_to_disk(file)
    account.take_over(partial)
    partial.rename(path)


def flush_to_disk(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


def flush_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
