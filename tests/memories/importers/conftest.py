import json
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import pytest

from memories.importers.importing import Import
from memories.importers.kinds import opened, recognise
from memories.importers.report import Report
from memories.importers.verifying import Verification

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.fixture
def bring(db, tmp_path):
    """Import a file and compare it with what is then stored."""

    def bring(path, user="", zone=BERLIN, writes=True, wanted="", erased_too=False):
        report = Report(tmp_path / "report.jsonl")
        with report, opened(path, zone, user, report) as source:
            [store] = recognise(source, wanted)
            walk = Import(store, writes, erased_too)
            walk.go(lambda rows: None)
            checked = Verification(store, erased_too)
            checked.go(lambda rows: None)
        written = tmp_path / "report.jsonl"
        lines = written.read_text().splitlines() if report.is_written else []
        written.unlink(missing_ok=True)
        return SimpleNamespace(
            format=store.name,
            tallies=walk.tallies,
            new=sum(tally.new for tally in walk.tallies.values()),
            is_whole=checked.is_in_order(),
            checked=checked.tallies,
            findings=[json.loads(line) for line in lines],
        )

    return bring


@pytest.fixture
def told():
    """Table, row and what was found, of each finding."""
    return lambda brought: [(f["table"], f["row"], f["found"]) for f in brought.findings]
