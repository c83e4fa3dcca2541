"""The report of an import: a JSON line for every row that was changed or skipped, and counts."""

import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import BinaryIO, NamedTuple, Self

import msgspec

from memories.importers.errors import ReportNotWritten

_MOST_KINDS = 1_000


class Finding(NamedTuple):
    table: str
    found: str
    done: str


class Report:
    """Written as it goes, so that its size costs no memory. The file is made with its first line;
    without a path there are only counts. It quotes what an assistant heard, so that it is closed to
    other accounts."""

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
        """Raises ReportNotWritten, as all that writes."""
        if self.path is not None and self._file is None:
            with _telling():
                self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                self._file = open(self.path, "wb", opener=_open_privately)  # noqa: SIM115

    def note(self, source: str, table: str, row: str, found: str, done: str) -> None:
        """From any thread."""
        line = {"file": source, "table": table, "row": row, "found": found, "done": done}
        with self._lock:
            self.counts[self._kind(Finding(table, found, done))] += 1
            self.open()
            if self._file is not None:
                with _telling():
                    self._file.write(self._encoder.encode(line) + b"\n")

    def close(self) -> None:
        if self._file is not None:
            with _telling():
                self._file.close()

    def _kind(self, finding: Finding) -> Finding:
        """What it is counted as: texts that differ from row to row fill no memory."""
        if len(self.counts) < _MOST_KINDS or finding in self.counts:
            return finding
        return Finding(finding.table, "something else, told in the report", finding.done)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _open_privately(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


@contextmanager
def _telling() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ReportNotWritten(f"The report cannot be written: {error}.") from error
