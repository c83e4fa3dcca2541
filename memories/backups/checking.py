"""Looks at a backup's files, before anything is done with them."""

from collections.abc import Iterable
from pathlib import Path

from django.db.migrations.loader import MigrationLoader

from memories.backups.errors import BackupError
from memories.backups.manifest import Manifest, read_manifest
from memories.backups.streams import Tell, sha256_of


def check_file(path: Path, tell: Tell = lambda size: None) -> Manifest:
    """The manifest of a backup that is whole. Raises BackupError for any other."""
    if not path.is_file():
        raise BackupError(f"There is no backup {path}.")
    manifest = read_manifest(path)
    size_bytes = path.stat().st_size
    if size_bytes != manifest.size_bytes:
        raise BackupError(
            f"{path} is cut short or not the one of its manifest: it has {size_bytes} bytes, "
            f"not {manifest.size_bytes}."
        )
    if sha256_of(path, tell) != manifest.sha256:
        raise BackupError(f"{path} is damaged: its SHA-256 is not that of its manifest.")
    return manifest


def check_schema(manifest: Manifest) -> None:
    """Raise BackupError where this code does not know how the tables were made."""
    check_migrations(manifest.migrations, manifest.product_version)


def check_migrations(names: Iterable[str], product_version: str) -> None:
    known = MigrationLoader(None).disk_migrations
    unknown = [name for name in names if tuple(name.split(".", 1)) not in known]
    if unknown:
        raise BackupError(
            f"The backup is of a newer version ({product_version}): its migration "
            f"{unknown[-1]} is not known here. Install that version first."
        )
