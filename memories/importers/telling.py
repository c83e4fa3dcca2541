"""What is told to a person after a store was imported or compared."""

from collections import Counter
from collections.abc import Iterable, Iterator

from memories.importers.report import Finding
from memories.importers.tally import Tally


def import_lines(tallies: Iterable[Tally], writes: bool) -> Iterator[str]:
    for tally in _told_of(tallies):
        told = [f"{tally.new} {'new' if writes else 'would be new'}", f"{tally.known} known"]
        if tally.updated:
            told.append(f"{tally.updated} {'updated' if writes else 'would be updated'}")
        if tally.kept:
            told.append(f"{tally.kept} changed on both sides and left as they are")
        if tally.skipped:
            told.append(f"{tally.skipped} skipped")
        yield f"  {_rows(tally)}: {', '.join(told)}"


def verification_lines(tallies: Iterable[Tally]) -> Iterator[str]:
    for tally in _told_of(tallies):
        same = f"{tally.same} the same here"
        if tally.skipped:
            same += f", {tally.skipped} skipped"
        yield (
            f"  {_rows(tally)}: {same}; checksums {tally.in_file:016x} and {tally.here:016x}"
            f"{', DIFFERENT' if tally.differs else ''}"
        )


def finding_lines(counts: Counter[Finding]) -> Iterator[str]:
    for finding, count in sorted(counts.items()):
        yield f"  {count} in {finding.table}: {finding.found}: {finding.done}"


def _told_of(tallies: Iterable[Tally]) -> Iterator[Tally]:
    """A table that the file has not, or that is empty, is not worth a line."""
    return (tally for tally in tallies if tally.rows or tally.read)


def _rows(tally: Tally) -> str:
    count = tally.read if tally.rows is None else tally.rows
    return f"{tally.table}, {count} {'row' if count == 1 else 'rows'}"
