"""Encryption of dumps by a key file in the format of age (https://age-encryption.org/v1).

The `age` program opens them too.
"""

import shutil
from pathlib import Path
from typing import IO, Any

import pyrage  # type: ignore[import-untyped]

from memories.backups.errors import BackupError
from memories.backups.streams import BLOCK_BYTES, CountedReader, CountedWriter

SUFFIX = ".age"

Recipient = pyrage.x25519.Recipient
Identity = pyrage.x25519.Identity


def read_recipients(key_file: Path) -> list[Any]:
    """Who can open what is sealed. Public keys alone will do, so that a host that makes backups
    need not be able to read them."""
    return [
        Identity.from_str(line).to_public() if _is_secret(line) else Recipient.from_str(line)
        for line in _key_lines(key_file)
    ]


def read_identities(key_file: Path) -> list[Any]:
    """The secret keys of the file."""
    secrets = [line for line in _key_lines(key_file) if _is_secret(line)]
    if not secrets:
        raise BackupError(f"{key_file} holds no secret key (AGE-SECRET-KEY-1…).")
    return [Identity.from_str(line) for line in secrets]


def seal(source: IO[bytes], target: CountedWriter, recipients: list[Any]) -> None:
    """Copy the source, encrypted where there are recipients."""
    if not recipients:
        shutil.copyfileobj(source, target, BLOCK_BYTES)
        return
    try:
        pyrage.encrypt_io(source, target, recipients)
    except pyrage.EncryptError as error:
        raise target.failure or BackupError(f"The dump cannot be encrypted: {error}.") from error


def unseal(source: CountedReader, target: IO[bytes], identities: list[Any]) -> None:
    """Copy the source, decrypted where there are identities."""
    if not identities:
        shutil.copyfileobj(source, target, BLOCK_BYTES)
        return
    try:
        pyrage.decrypt_io(source, target, identities)
    except pyrage.DecryptError as error:
        raise BackupError(f"The key file does not open this backup: {error}.") from error


def _key_lines(key_file: Path) -> list[str]:
    try:
        lines = [line.strip() for line in key_file.read_text().splitlines()]
        kept = [line for line in lines if line and not line.startswith("#")]
        for line in kept:
            (Identity if _is_secret(line) else Recipient).from_str(line)
    except OSError as error:
        raise BackupError(f"The key file {key_file}: {error.strerror}.") from error
    except (ValueError, pyrage.IdentityError, pyrage.RecipientError) as error:
        raise BackupError(f"{key_file} is no key file of age.") from error
    if not kept:
        raise BackupError(f"The key file {key_file} is empty.")
    return kept


def _is_secret(line: str) -> bool:
    return line.startswith("AGE-SECRET-KEY-")
