"""The report of an import: a JSON line for every row that was changed or skipped, and counts."""

from collections import Counter
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import BinaryIO, NamedTuple, Self

import msgspec


class Finding(NamedTuple):
    table: str
    found: str
    done: str


class Report:
    """Written as it goes, so that its size costs no memory. The file is made with its first line;
    without a path there are only counts."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = path
        self._file: BinaryIO | None = None
        self._lock = Lock()
        self._encoder = msgspec.json.Encoder()
        self.counts: Counter[Finding] = Counter()

    @property
    def is_written(self) -> bool:
        return self._file is not None

    def open(self) -> None:
        """Raises OSError."""
        if self.path is not None and self._file is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self.path.open("wb")

    def note(self, source: str, table: str, row: str, found: str, done: str) -> None:
        """From any thread."""
        line = {"file": source, "table": table, "row": row, "found": found, "done": done}
        with self._lock:
            self.counts[Finding(table, found, done)] += 1
            self.open()
            if self._file is not None:
                self._file.write(self._encoder.encode(line) + b"\n")

    def close(self) -> None:
        if self._file is not None:
            self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
