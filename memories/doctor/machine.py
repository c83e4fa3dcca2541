"""Checks of settings, disk and files: they need no database."""

import errno
import shutil
import stat
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from django.conf import settings
from django.core.checks import run_checks
from django.template.defaultfilters import filesizeformat

from memories.doctor.findings import Finding, broken, told, warning, well
from memories.embedders.errors import EmbedderLoadError
from memories.embedders.loading import load_embedder
from memories.services.disks import kept_folders

_MIN_FREE_BYTES = 256 << 20  # 16 segments of WAL
_LOW_FREE_BYTES = 2 << 30
_LOW_FREE_SHARE = 0.05
_PROBE_BYTES = 1 << 16
# Of a container: the engine lets its account read them, by whatever mode.
_MOUNTED_SECRETS = Path("/run/secrets")


def look_at_settings() -> list[Finding]:
    return told(run_checks(), "Every setting can be right.")


def look_at_disks() -> Iterator[Finding]:
    """Each folder that is written to: it exists, takes a file, and has room."""
    for name, folder in kept_folders():
        yield _probe(name, folder)


def look_at_keys() -> Iterator[Finding]:
    """Files with secrets: they can be read, hold something, and others cannot read them."""
    seen = list(_key_files())
    problems = [problem for path in seen if (problem := _key_problem(path))]
    yield from problems
    if not problems:
        yield well(f"Closed to other accounts: {', '.join(map(str, seen)) or 'no file is kept'}.")


def look_at_embedder() -> list[Finding]:
    """Loaded as a start does, which it would stop."""
    try:
        embedder = load_embedder(settings.EMBEDDER, settings.DATA_DIR, settings.EMBEDDER_OPTIONS)
    except EmbedderLoadError as error:
        advice = "Mend what it names, or choose another EMBEDDER."
        return [broken(f"The embedder does not load: {str(error).rstrip('.')}.", advice)]
    embedder.close()
    return [well(f"The embedder {settings.EMBEDDER} loads.")]


def _probe(name: str, folder: Path) -> Finding:
    try:
        if not folder.exists():
            folder.mkdir(parents=True, mode=0o700)
        with tempfile.NamedTemporaryFile(dir=folder) as probe:
            probe.write(bytes(_PROBE_BYTES))
            probe.flush()
        disk = shutil.disk_usage(folder)
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        return broken(
            f"{name} {folder} takes no file: {error.strerror}.",
            "Make room there: remove what is not the database's."
            if full
            else f"Name a folder in {name} that this account may write to.",
        )
    return _judge_room(f"{name} {folder}", disk.free, disk.total)


def _judge_room(where: str, free_bytes: int, total_bytes: int) -> Finding:
    free, total = (
        str(filesizeformat(size)).replace("\xa0", " ") for size in (free_bytes, total_bytes)
    )
    text = f"{where} has {free} of {total} free."
    advice = "Make room there, or move it to a larger disk: a full one stops every write."
    if free_bytes < _MIN_FREE_BYTES:
        return broken(text, advice)
    if free_bytes < max(_LOW_FREE_BYTES, _LOW_FREE_SHARE * total_bytes):
        return warning(text, advice)
    return well(text)


def _key_files() -> Iterable[Path]:
    """Those that are there, and those that a setting names."""
    kept = [
        settings.DATA_DIR / "secret_key",
        settings.DATA_DIR / "postgres" / "superuser.password",
        settings.BASE_DIR / ".env",
    ]
    named = [Path(settings.BACKUP_KEY_FILE)] if settings.BACKUP_KEY_FILE else []
    return [*(path for path in kept if path.exists()), *named, *settings.SECRET_FILES]


def _key_problem(path: Path) -> Finding | None:
    try:
        status = path.stat()
        with path.open("rb") as file:
            is_empty = not file.read(1)
    except OSError as error:
        return broken(
            f"The file {path} cannot be read: {error.strerror}.",
            "Bring it back, or mend the setting that names it.",
        )
    if is_empty and path.name != ".env":
        return broken(f"The file {path} is empty.", "Bring it back from where a copy is kept.")
    if _MOUNTED_SECRETS in path.parents:
        return None
    if status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        mode = stat.filemode(status.st_mode)
        return warning(f"The file {path} is open to other accounts ({mode}).", f"chmod 600 {path}")
    return None
