"""The archive of the WAL, by which a server is brought back to a point in time.

The supervisor asks here for the settings that make PostgreSQL archive; memories/backups puts base
backups beside the segments. Each cluster has a folder of its own there, by the number that initdb
gave it, so that a new cluster never meets the segments of the one before.
"""

import shlex
import struct
from dataclasses import dataclass
from pathlib import Path

from memoryproject.postgres.account import Account, check_traversable
from memoryproject.postgres.files import write_owned
from memoryproject.postgres.layout import Layout

SCRIPT = Path(__file__).with_name("archive_segment.sh")


@dataclass(frozen=True, slots=True)
class Archive:
    """`seconds`: a segment is archived after that time, even if it is not full."""

    directory: Path
    seconds: int


@dataclass(frozen=True, slots=True)
class ClusterArchive:
    """What the archive holds of one cluster: `wal/`, and base backups by their names."""

    folder: Path

    @property
    def wal(self) -> Path:
        return self.folder / "wal"

    @property
    def base_lock(self) -> Path:
        return self.folder / "base.lock"


def archive_of(directory: Path, system_id: int) -> ClusterArchive:
    return ClusterArchive(directory / str(system_id))


def read_system_id(cluster: Path) -> int:
    """The number of a cluster: the first field of pg_control."""
    with (cluster / "global" / "pg_control").open("rb") as file:
        [system_id] = struct.unpack("=Q", file.read(8))
    return int(system_id)


def prepare_archive(layout: Layout, account: Account, archive: Archive) -> dict[str, str]:
    """The settings of a server that archives. Raises ServerCannotRun and OSError."""
    cluster_archive = archive_of(archive.directory, read_system_id(layout.cluster))
    archive.directory.parent.mkdir(parents=True, exist_ok=True)
    for folder in (archive.directory, cluster_archive.folder, cluster_archive.wal):
        if not folder.exists():
            folder.mkdir(mode=0o700)
            account.take_over(folder)
    check_traversable(account, cluster_archive.wal)
    script = layout.run / SCRIPT.name
    write_owned(script, SCRIPT.read_text(), account)  # the account may not enter our folder
    return {
        "archive_mode": "on",
        "archive_command": archive_command(script, cluster_archive.wal),
        "archive_timeout": f"{archive.seconds}s",
    }


def archive_command(script: Path, wal: Path) -> str:
    return f'/bin/sh {_quote(script)} "%p" "%f" {_quote(wal)}'


def restore_command(wal: Path) -> str:
    """A segment that is not there is no error, but the end of the archive."""
    return f'test -f {_quote(wal)}/"%f".gz && gzip -dc {_quote(wal)}/"%f".gz > "%p"'


def _quote(path: Path) -> str:
    return shlex.quote(str(path)).replace("%", "%%")
