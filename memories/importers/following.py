"""Follows an old store that is still written to, round by round. Called by `mirror_memories`."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import tzinfo
from pathlib import Path
from threading import Event

from memories.changes import rows
from memories.importers.kinds import opened, recognise
from memories.importers.mirror_state import MirrorState
from memories.importers.mirroring import Asked, Mirror
from memories.importers.report import Finding, Report

State = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Reading:
    """How a file is read: as which format, for whom, and in which zone times without one are;
    and whether what is older than the erasure of its owner comes too."""

    format: str
    user: str
    zone: tzinfo
    erased_too: bool = False


@dataclass(frozen=True, slots=True)
class Round:
    """`behind_seconds`: since when the file holds what is not here; 0 where all is."""

    new: int
    changed: int
    deleted: int
    seconds: float
    behind_seconds: float
    findings: Counter[Finding]


class Stopped(Exception):
    """In the middle of a round, of which all that was brought over stays."""


class Follower:
    def __init__(
        self, path: Path, reading: Reading, state: MirrorState, stop: Event, deletes_many: bool
    ) -> None:
        self.path = path
        self._reading = reading
        self._state = state
        self._stop = stop
        self._deletes_many = deletes_many
        self._brought_over: State = ()
        self._database = ""  # with which this process has compared everything
        self._found: Counter[Finding] = Counter()

    @property
    def has_succeeded(self) -> bool:
        return self._brought_over != ()

    def has_changed(self) -> bool:
        """The file, or the database: one that was restored lacks what had come over."""
        return self._file_has_changed() or identity_of_database() != self._database

    def _file_has_changed(self) -> bool:
        return _state_of(self.path) != self._brought_over

    def bring_over(self, progress: Callable[[int], None]) -> Round:
        """Raises ImportRefused, sqlite3.DatabaseError, the database's errors, and Stopped."""
        began, seen = time.monotonic(), _state_of(self.path)
        database = identity_of_database()
        report = Report()
        mirrors = list(self._mirrored(report, database, progress))
        self._brought_over, self._database = seen, database
        self._state.complete(database)
        new, changed, deleted = (sum(counts) for counts in zip(*mirrors, strict=True))
        findings, self._found = report.counts - self._found, report.counts
        seconds = time.monotonic() - began
        behind_seconds = seconds if self._file_has_changed() else 0.0
        return Round(new, changed, deleted, seconds, behind_seconds, findings)

    def _mirrored(
        self, report: Report, database: str, progress: Callable[[int], None]
    ) -> Iterator[tuple[int, int, int]]:
        def advance(rows: int) -> None:
            progress(rows)
            if self._stop.is_set():
                raise Stopped

        reading = self._reading
        with opened(self.path, reading.zone, reading.user, report) as source:
            self._state.begin(believes=database == self._database)
            is_another = self._state.database not in (None, database)
            stores = recognise(source, reading.format)
            asked = Asked(self._deletes_many, is_another, reading.erased_too)
            for store in stores:
                mirror = Mirror(store, self._state, asked)
                mirror.go(advance)
                yield mirror.changes


def identity_of_database() -> str:
    """Another after every restore: of a backup the oid, to a point in time the timeline."""
    [identity] = rows(
        """
        SELECT system_identifier, d.oid, timeline_id
        FROM pg_control_system(), pg_control_checkpoint(), pg_database d
        WHERE d.datname = current_database()"""
    )
    return " ".join(map(str, identity))


def _state_of(path: Path) -> State:
    """What differs when anything was written to it, or to its WAL, which SQLite keeps beside what a
    link leads to."""
    path = path.resolve()
    found = []
    for file in (path, path.with_name(f"{path.name}-wal")):
        try:
            status = file.stat()
        except OSError:
            found.append((0, 0))
        else:
            found.append((status.st_size, status.st_mtime_ns))
    return tuple(found)
