"""What an archive holds: base backups and the segments of the WAL between and after them."""

import shutil
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import msgspec

from memories.backups.errors import BackupError
from memories.backups.keeping import Keep
from memoryproject.postgres.archiving import ClusterArchive

BASE_PREFIX = "base-"
MANIFEST_NAME = "memories.json"
WAL_NAME = "pg_wal.tar.gz"
_FORMAT = 1
_SEGMENT_CHARACTERS = 24
_TIMELINE_CHARACTERS = 8


class BaseManifest(msgspec.Struct, frozen=True, kw_only=True):
    """`first_segment`: the first one that a recovery from it reads. It recovers to any moment after
    `ended_at`. `wal_sha256`: of the segments in it, of which PostgreSQL's manifest says nothing."""

    format: int = _FORMAT
    product_version: str
    postgres_version: int
    migrations: list[str]
    started_at: datetime
    ended_at: datetime
    first_segment: str
    size_bytes: int
    wal_sha256: str


class Base(msgspec.Struct, frozen=True):
    folder: Path
    manifest: BaseManifest

    @property
    def archive(self) -> ClusterArchive:
        return ClusterArchive(self.folder.parent)


def read_base(folder: Path) -> Base:
    """Raises BackupError where its manifest is damaged, and OSError."""
    path = folder / MANIFEST_NAME
    try:
        return Base(folder, msgspec.json.decode(path.read_bytes(), type=BaseManifest))
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BackupError(f"The manifest {path} is damaged: {error}.") from error


def list_bases(directory: Path) -> list[Base]:
    """Of all clusters that were archived there, oldest first."""
    found = [base for folder in directory.glob("*") for base in _bases_in(ClusterArchive(folder))]
    return sorted(found, key=lambda base: base.manifest.ended_at)


def _bases_in(archive: ClusterArchive) -> list[Base]:
    found = archive.folder.glob(f"{BASE_PREFIX}*/{MANIFEST_NAME}")
    return [read_base(path.parent) for path in sorted(found)]


def choose_base(directory: Path, until: datetime | None, system_id: int | None = None) -> Base:
    """The last one before that moment, of that cluster or, where it has none, of the one that was
    backed up last: two clusters share no WAL. Raises BackupError where there is none."""
    bases = _of_one_cluster(list_bases(directory), str(system_id))
    if not bases:
        raise BackupError(
            f"There is no base backup in {directory}: `backup --base` makes one, and what was "
            "before the first cannot be recovered."
        )
    before = [base for base in bases if until is None or base.manifest.ended_at <= until]
    if not before:
        raise BackupError(
            f"The oldest base backup ended at {told(bases[0].manifest.ended_at)}: nothing before "
            "that can be recovered."
        )
    return before[-1]


def _of_one_cluster(bases: list[Base], wanted: str) -> list[Base]:
    names = [base.archive.folder.name for base in bases]
    cluster = wanted if wanted in names or not names else names[-1]
    return [base for base in bases if base.archive.folder.name == cluster]


def remove_older_bases(newest: Base, keep: Keep) -> list[Path]:
    """Remove the base backups of the same cluster that no rule keeps, and the segments that none
    of the others needs. Returns the former."""
    older = [base for base in reversed(_bases_in(newest.archive)) if base != newest]
    newest_at = newest.manifest.ended_at
    kept, removed = [newest], []
    for place, base in enumerate(older, start=2):
        if keep.keeps(place, base.manifest.ended_at, newest_at):
            kept.append(base)
        else:
            # Without its manifest it counts as none: no half of one is ever taken for a whole.
            (base.folder / MANIFEST_NAME).unlink()
            shutil.rmtree(base.folder)
            removed.append(base.folder)
    first = min(_place(base.manifest.first_segment) for base in kept)
    for path in _needless(newest.archive, first):
        path.unlink()
    return removed


def _needless(archive: ClusterArchive, first_place: str) -> Iterator[Path]:
    for path in archive.wal.glob("*.gz"):
        name = path.name.partition(".")[0]
        if len(name) == _SEGMENT_CHARACTERS and _place(name) < first_place:
            yield path


def _place(segment: str) -> str:
    """Where it stands in the WAL, whatever its timeline."""
    return segment[_TIMELINE_CHARACTERS:_SEGMENT_CHARACTERS]


def told(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S.%f} UTC"
