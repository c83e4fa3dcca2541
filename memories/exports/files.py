"""The files of an export: private, and under their names only when they are whole."""

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from hashlib import blake2b
from pathlib import Path
from typing import BinaryIO

from memories.exports.errors import ExportError
from memoryproject.postgres.files import flush_directory, flush_to_disk, open_new_file


def make_folder(folder: Path) -> None:
    """Closed to others, if it is new. Raises ExportError and OSError."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise ExportError(f"{folder} is no folder: name one with --output.") from None


def stem_of(name: str, at: datetime) -> str:
    """A file name that tells whose export it is, whatever characters the name has."""
    readable = re.sub(r"[^A-Za-z0-9-]+", "_", name)[:40].strip("_")
    told = blake2b(name.encode(), digest_size=4).hexdigest()
    return f"export-{readable}-{told}-{at:%Y%m%dT%H%M%S-%fZ}"


@contextmanager
def whole_files(*paths: Path) -> Iterator[list[BinaryIO]]:
    """Files to write; they get their names together at the end, or nothing is left."""
    partials = [path.with_name(f".{path.name}.partial") for path in paths]
    files: list[BinaryIO] = []
    try:
        files += map(open_new_file, partials)
        yield files
        for file in files:
            flush_to_disk(file)
            file.close()
        for partial, path in zip(partials, paths, strict=True):
            partial.rename(path)
        flush_directory(paths[0].parent)
    except BaseException:
        for left in partials:
            left.unlink(missing_ok=True)
        raise
    finally:
        for file in files:
            with suppress(OSError):  # of a full disk: it was told already
                file.close()
