"""What the commands of backups share: how they end, and what they show."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError
from django.db import connection
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from memories.backups.archive import Base
from memories.backups.errors import BackupError
from memories.backups.manifest import Manifest
from memories.backups.server import telling_failures
from memories.backups.streams import Tell
from memories.services.backups import BackupSeen, Kind, this_host

_INTERRUPTED = 130


@contextmanager
def ending_in_one_sentence() -> Iterator[None]:
    """Tidy up on SIGTERM as on Ctrl-C, and show each failure as one sentence."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with telling_failures():
            yield
    except BackupError as error:
        raise CommandError(str(error)) from error
    except KeyboardInterrupt:
        raise CommandError("Stopped. Nothing half done is left.", returncode=_INTERRUPTED) from None
    finally:
        signal.signal(signal.SIGTERM, before)


def key_file_of(options: dict[str, Any]) -> Path | None:
    """That of the command line, else that of the settings: none is forgotten by accident."""
    given: Path | None = options["key_file"]
    if given is None and settings.BACKUP_KEY_FILE:
        return Path(settings.BACKUP_KEY_FILE)
    return given


def describe(path: Path, manifest: Manifest, verified_at: datetime | None = None) -> BackupSeen:
    """A dump, as the database remembers it."""
    return BackupSeen(
        kind=Kind.DUMP,
        made_at=manifest.made_at,
        host=this_host(),
        path=str(path.resolve()),
        size_bytes=manifest.size_bytes,
        row_count=manifest.row_count,
        is_encrypted=manifest.encrypted,
        verified_at=verified_at,
    )


def describe_base(base: Base) -> BackupSeen:
    return BackupSeen(
        kind=Kind.BASE,
        made_at=base.manifest.ended_at,
        host=this_host(),
        path=str(base.folder),
        size_bytes=base.manifest.size_bytes,
    )


def leave_the_database() -> None:
    """Hold no connection that would keep the database from being renamed."""
    connection.close()
    if connection.settings_dict["OPTIONS"].get("pool"):
        connection.close_pool()  # type: ignore[attr-defined]


@contextmanager
def showing_bytes(title: str, total_bytes: int) -> Iterator[Tell]:
    """A progress bar on standard error, or nothing where that is no terminal."""
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        console=Console(stderr=True, highlight=False),
        disable=not sys.stderr.isatty(),
    )
    with bar:
        task = bar.add_task(title, total=total_bytes)
        yield lambda size_bytes: bar.advance(task, size_bytes)
        bar.update(task, total=bar.tasks[0].completed)  # a dump is smaller than its database
