"""The file beside each dump that says what it holds, and by which it is checked."""

import hashlib
from datetime import datetime
from pathlib import Path

import msgspec

from memories.backups.content import TableContent
from memories.backups.errors import BackupError

_FORMAT = 1


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """`own_sha256` is that of this manifest with an empty `own_sha256`."""

    format: int = _FORMAT
    product_version: str
    database: str
    postgres_version: str
    pgvector_version: str
    newest_migration: str
    migrations: list[str]
    made_at: datetime
    encrypted: bool
    size_bytes: int
    sha256: str
    content: dict[str, TableContent]
    own_sha256: str = ""

    @property
    def row_count(self) -> int:
        return sum(table.rows for table in self.content.values())


class _Form(msgspec.Struct):
    format: int


def manifest_path(dump: Path) -> Path:
    return dump.with_name(f"{dump.name}.json")


def encode_manifest(manifest: Manifest) -> bytes:
    sealed = msgspec.structs.replace(manifest, own_sha256=_digest(manifest))
    return msgspec.json.format(msgspec.json.encode(sealed), indent=2) + b"\n"


def read_manifest(dump: Path) -> Manifest:
    """Raises BackupError where it is missing, damaged or of a newer product."""
    path = manifest_path(dump)
    try:
        text = path.read_bytes()
        form = msgspec.json.decode(text, type=_Form).format
        if form > _FORMAT:
            raise BackupError(f"{path} was written by a newer version: use that one.")
        manifest = msgspec.json.decode(text, type=Manifest)
    except FileNotFoundError:
        raise BackupError(
            f"{dump} has no manifest: {path.name} must lie beside it. "
            "A backup without one was not finished, or not copied whole."
        ) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BackupError(f"The manifest {path} is damaged: {error}.") from error
    if _digest(manifest) != manifest.own_sha256:
        raise BackupError(f"The manifest {path} is damaged: its checksum differs.")
    return manifest


def _digest(manifest: Manifest) -> str:
    bare = msgspec.structs.replace(manifest, own_sha256="")
    return hashlib.sha256(msgspec.json.encode(bare)).hexdigest()
