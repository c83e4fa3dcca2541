"""Which older backups of a folder go. Called by `manage.py backup` after a new one was checked."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from memories.backups.dumping import PREFIX
from memories.backups.errors import BackupError
from memories.backups.manifest import Manifest, manifest_path, read_manifest


@dataclass(frozen=True, slots=True)
class Keep:
    """What either rule keeps, stays. Without a rule everything does."""

    count: int | None = None
    days: float | None = None

    def keeps(self, place: int, made_at: datetime, newest_at: datetime) -> bool:
        """`place`: 1 is the newest. What was made in that many days before the newest stays."""
        if self.count is None and self.days is None:
            return True
        by_count = self.count is not None and place <= self.count
        return by_count or (self.days is not None and made_at > newest_at - timedelta(self.days))


def remove_older(folder: Path, newest: Path, keep: Keep) -> list[Path]:
    """Remove the whole backups of the same database that no rule keeps, and return them.

    What is not whole is not touched: somebody may still want to look at it.
    """
    made = read_manifest(newest)
    older = sorted(_older(folder, made), key=lambda each: each[0].made_at, reverse=True)
    removed = []
    for place, (manifest, path) in enumerate(older, start=2):
        if not keep.keeps(place, manifest.made_at, made.made_at):
            # Without its manifest a dump counts as none: no half of a backup is ever taken for one.
            manifest_path(path).unlink()
            path.unlink()
            removed.append(path)
    return removed


def _older(folder: Path, newest: Manifest) -> list[tuple[Manifest, Path]]:
    found = []
    for beside in folder.glob(f"{PREFIX}*.json"):
        path = beside.with_suffix("")
        try:
            manifest = read_manifest(path)
        except BackupError:
            continue
        if (
            path.is_file()
            and manifest.database == newest.database
            and manifest.made_at < newest.made_at
        ):
            found.append((manifest, path))
    return found
