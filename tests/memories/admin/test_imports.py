"""Reports of imports: told on the home page until somebody has read them."""

import json
from pathlib import Path

import pytest
from django.contrib.admin.models import LogEntry
from django.core.management import call_command
from django.urls import reverse

from memories.models import ImportReport
from tests.memories.importers.stores import UNIFIED, make, unified

from .conftest import list_url, page_url
from .test_actions import act

pytestmark = pytest.mark.django_db(transaction=True)

HOME = reverse("admin:index")
MARK = reverse("memories:mark-read")


@pytest.fixture(autouse=True)
def _settings(settings, tmp_path):
    settings.DATA_DIR = tmp_path / "data"
    settings.EMBEDDER = "none"
    settings.MACHINE_TZ = "Europe/Berlin"


@pytest.fixture
def run(tmp_path):
    """Import a store in which the parent of a memory is missing, and its tags are no list."""
    path = make(tmp_path / "store", UNIFIED, memories=[unified("a", parent_id="gone", tags="oh")])

    def run(**options):
        call_command("import_memories", str(path), **options)

    return run


def waiting(client):
    return [one for one in client.get(HOME).context["work"] if "import" in one.text]


def test_an_import_s_findings_wait_until_they_are_read(enter, run):
    run()
    client = enter("operator")
    [work] = waiting(client)
    assert work.text == "1 report of an import is unread"
    assert "store" in client.get(work.url).text
    report = ImportReport.objects.get()
    lines = [json.loads(line) for line in Path(report.path).read_text().splitlines()]
    assert report.finding_count == len(lines)
    page = client.get(page_url("importreport", report.pk)).text
    assert all(line["found"].split("'")[0][:20] in page for line in lines)
    assert report.path in page
    client.post(MARK, {"report_id": report.pk})
    report.refresh_from_db()
    assert (report.read_by, waiting(client)) == ("one-operator", [])
    assert "Mark as read" not in client.get(page_url("importreport", report.pk)).text
    assert [entry.get_change_message() for entry in LogEntry.objects.all()] == ["Marked as read"]


def test_a_report_elsewhere_is_told_of_too(run, tmp_path):
    run(report=tmp_path / "elsewhere.jsonl")
    run(verify=True, report=tmp_path / "verified.jsonl")
    paths = set(ImportReport.objects.values_list("path", flat=True))
    assert str(tmp_path / "elsewhere.jsonl") in paths


def test_what_writes_nothing_and_finds_nothing_leaves_nothing(run, tmp_path):
    run(dry_run=True, report=tmp_path / "dry.jsonl")
    assert not ImportReport.objects.exists()


def test_a_viewer_reads_and_does_not_mark(enter, run):
    run()
    report = ImportReport.objects.get()
    client = enter("viewer")
    assert "Mark as read" not in client.get(page_url("importreport", report.pk)).text
    assert client.post(MARK, {"report_id": report.pk}).status_code == 403
    act(client, "importreport", "mark_read", [report.pk])
    report.refresh_from_db()
    assert report.read_at is None


def test_several_are_marked_at_once_and_none_twice(enter, run):
    run()
    run(report=None)
    client = enter("operator")
    keys = list(ImportReport.objects.values_list("pk", flat=True))
    act(client, "importreport", "mark_read", keys)
    assert not ImportReport.objects.filter(read_at=None).exists()
    assert client.get(list_url("importreport", state="unread")).status_code == 200
    for report_id in (keys[0], 10**17, "1e3", "x" * 300):
        client.post(MARK, {"report_id": report_id})
    assert LogEntry.objects.count() == len(keys)
