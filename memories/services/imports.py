"""Which reports of imports there are, and which of them somebody has read. Called by the command
that imports and by the admin."""

import socket
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from memories.models import ImportReport

_KEPT_FINDINGS = 200
_SOURCE_CHARACTERS = 2_000
_FINDING_CHARACTERS = 300


@dataclass(frozen=True, slots=True)
class ImportFinding:
    """`count` rows of a table of the old store, in which `found` was found and `done` was done."""

    table: str
    found: str
    done: str
    count: int


def record_report(
    source: str,
    path: str,
    began_at: datetime,
    ended_at: datetime,
    findings: Iterable[ImportFinding],
) -> None:
    """The most frequent findings are kept; the file holds all of them."""
    ordered = sorted(findings, key=lambda finding: -finding.count)
    ImportReport.objects.create(
        source=source[:_SOURCE_CHARACTERS],
        path=path,
        host=socket.gethostname(),
        began_at=began_at,
        ended_at=ended_at,
        findings=[_kept(finding) for finding in ordered[:_KEPT_FINDINGS]],
        finding_count=sum(finding.count for finding in ordered),
    )


def count_unread(limit: int) -> int:
    """Up to `limit`."""
    return ImportReport.objects.filter(read_at=None)[:limit].count()


def mark_read(report_ids: Sequence[int], at: datetime, by: str) -> list[int]:
    """Returns the ids of those that nobody had read."""
    unread = ImportReport.objects.filter(pk__in=report_ids, read_at=None)
    marked = list(unread.select_for_update().values_list("pk", flat=True))
    ImportReport.objects.filter(pk__in=marked).update(read_at=at, read_by=by)
    return marked


def _kept(finding: ImportFinding) -> dict[str, str | int]:
    return {
        name: value.replace("\0", "")[:_FINDING_CHARACTERS] if isinstance(value, str) else value
        for name, value in asdict(finding).items()
    }
