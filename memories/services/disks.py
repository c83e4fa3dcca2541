"""The folders that are written to, and the room on their disks. Called by the metrics and the
doctor."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings


@dataclass(frozen=True, slots=True)
class Disk:
    """`folder` is the setting that names it."""

    folder: str
    free_bytes: int
    size_bytes: int


def kept_folders() -> Iterator[tuple[str, Path]]:
    """By the settings that name them; those that are used."""
    yield "DATA_DIR", settings.DATA_DIR
    if settings.BACKUP_SCHEDULE:
        yield "BACKUP_DIR", settings.BACKUP_DIR
    if settings.WAL_ARCHIVE:
        yield "ARCHIVE_DIR", settings.ARCHIVE_DIR


def measure_disks() -> tuple[Disk, ...]:
    """A folder that is not there yet has the disk on which it would be made. One that cannot be
    looked at is left out: what writes to it says so itself."""
    found = (_measure(name, folder) for name, folder in kept_folders())
    return tuple(disk for disk in found if disk)


def _measure(name: str, folder: Path) -> Disk | None:
    for place in (folder, *folder.parents):
        try:
            usage = shutil.disk_usage(place)
        except FileNotFoundError:
            continue
        except OSError:
            return None
        return Disk(name, usage.free, usage.total)
    return None
