"""The command: what it is asked, what it tells, what it leaves behind."""

import io
import json

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection

from memories.models import EmbeddingModel, MemoryEntry, Session
from tests.factories import backend_pid, other_connection
from tests.memories.importers.stores import UNIFIED, execute, extend, make, talk, turn, unified


@pytest.fixture(autouse=True)
def _settings(settings, tmp_path):
    settings.DATA_DIR = tmp_path / "data"
    settings.EMBEDDER = "none"
    settings.MACHINE_TZ = "Europe/Berlin"


@pytest.fixture
def run(transactional_db):
    def run(*arguments, name="import_memories", **options):
        out, errors = io.StringIO(), io.StringIO()
        try:
            call_command(name, *map(str, arguments), stdout=out, stderr=errors, **options)
        except CommandError as error:
            return error.returncode, out.getvalue(), errors.getvalue() + str(error)
        return 0, out.getvalue(), errors.getvalue()

    return run


def test_import_and_verification(run, tmp_path):
    path = talk(tmp_path / "store", 3)
    code, out, errors = run(path)
    assert (code, errors) == (0, "")
    assert out.splitlines()[:3] == [
        f"{path}: session",
        "  sessions, 1 row: 1 new, 0 known",
        "  interactions, 3 rows: 3 new, 0 known",
    ]
    assert "interactions, 3 rows: 3 the same here; checksums" in out
    assert not (tmp_path / "data" / "imports").exists()
    code, out, _ = run(path, name="import_sqlite")
    assert (code, MemoryEntry.objects.count()) == (0, 3)
    assert "interactions, 3 rows: 0 new, 3 known" in out


def test_what_is_imported_waits_for_its_vectors(run, tmp_path):
    EmbeddingModel.objects.create(
        name="any", kind="any", dimension=2, created_at="2024-01-01T00:00:00Z"
    )
    run(talk(tmp_path / "store", 3))
    assert MemoryEntry.objects.filter(embedding_tasks__isnull=False).count() == 3


def test_a_dry_run_tells_and_writes_nothing(run, tmp_path):
    path = talk(tmp_path / "store", 2)
    extend(path, interactions=[turn(3, metadata="bad")])
    code, out, _ = run(path, dry_run=True)
    assert code == 0
    assert "interactions, 3 rows: 3 would be new, 0 known" in out
    assert "1 in interactions: metadata is no JSON object: kept as text" in out
    assert not Session.objects.exists()
    assert not (tmp_path / "data").exists()
    run(path)
    assert "interactions, 3 rows: 0 would be new, 3 known" in run(path, dry_run=True)[1]


def test_findings_stand_in_a_report(run, tmp_path):
    path = make(tmp_path / "store", UNIFIED, memories=[unified("a", parent_id="gone", tags="oh")])
    report = tmp_path / "reports" / "report.jsonl"
    code, out, _ = run(path, report=report)
    assert code == 0
    assert str(report) in out
    lines = [json.loads(line) for line in report.read_text().splitlines()]
    assert {
        "file": str(path),
        "table": "memories",
        "row": "a",
        "found": "tags is no JSON list of texts",
        "done": "kept as text",
    } in lines
    assert len(lines) == 2
    run(path)
    [default] = (tmp_path / "data" / "imports").iterdir()
    assert len(default.read_text().splitlines()) == 2


def test_verification_alone(run, tmp_path):
    path = talk(tmp_path / "store", 3)
    code, out, errors = run(path, verify=True)
    assert code == 1
    assert "interactions, 3 rows: 0 the same here" in out
    assert "DIFFERENT" in out
    assert str(path) in errors
    assert not Session.objects.exists()
    run(path)
    assert run(path, verify=True)[0] == 0
    execute(path, "UPDATE interactions SET content = 'other' WHERE id = 2")
    code, out, _ = run(path, verify=True)
    assert code == 1
    assert "interactions, 3 rows: 2 the same here" in out
    assert "1 in interactions: is not here: nothing: only compared" in out


def test_a_row_that_is_not_here_as_the_file_has_it(run, tmp_path):
    path = make(tmp_path / "store", UNIFIED, memories=[unified("a"), unified("b")])
    run(path)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE memory_entries SET tags = '{}' WHERE id = 'a'")
    code, out, _ = run(path, verify=True)
    assert code == 1
    assert "1 in memories: is not here as the file has it" in out


def test_a_bad_file_stops_no_other(run, tmp_path):
    bad = tmp_path / "bad"
    bad.write_bytes(b"")
    code, _, errors = run(bad, talk(tmp_path / "store", 2))
    assert code == 1
    assert f"{bad} is empty: it has 0 bytes." in errors
    assert MemoryEntry.objects.count() == 2


def test_a_file_on_which_the_program_fails_stops_no_other(run, tmp_path, monkeypatch, caplog):
    from memories.management.commands import import_memories

    spoilt, good = talk(tmp_path / "spoilt", 2), talk(tmp_path / "good", 2)
    recognise = import_memories.recognise

    def fail(source, wanted):
        if source.path == spoilt:
            raise KeyError("of a kind that nobody thought of")
        return recognise(source, wanted)

    monkeypatch.setattr(import_memories, "recognise", fail)
    code, _, errors = run(spoilt, good)
    assert code == 1
    told, ended = errors.splitlines()
    assert told.startswith(f"{spoilt} could not be imported to its end: KeyError, see the log.")
    assert str(good) not in ended
    assert "nobody thought of" in caplog.text
    assert MemoryEntry.objects.count() == 2


def test_a_report_that_cannot_be_written_is_told_as_such(run, tmp_path):
    (tmp_path / "file").touch()
    path = talk(tmp_path / "store", 2)
    code, _, errors = run(path, report=tmp_path / "file" / "report")
    assert code == 1
    assert errors.startswith("The report cannot be written: ")


def test_a_report_is_closed_to_others(run, tmp_path):
    path = make(tmp_path / "store", UNIFIED, memories=[unified("a", tags="oh")])
    run(path)
    folder = tmp_path / "data" / "imports"
    [report] = folder.iterdir()
    assert (folder.stat().st_mode & 0o077, report.stat().st_mode & 0o077) == (0, 0)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"timezone": "Mars/Olympus"}, "'Mars/Olympus' is no time zone"),
        ({"timezone": "../../etc/passwd"}, "is no time zone"),
        ({"user": "u" * 65}, "--user has more than 64 characters"),
    ],
)
def test_options_that_cannot_be(run, tmp_path, options, match):
    code, _, errors = run(talk(tmp_path / "store"), **options)
    assert code == 1
    assert match in errors
    assert not Session.objects.exists()


@pytest.mark.parametrize(
    ("options", "hour"), [({}, 8), ({"timezone": "UTC"}, 9), ({"timezone": "Asia/Tokyo"}, 0)]
)
def test_times_are_of_the_machines_zone_or_the_named_one(run, tmp_path, options, hour):
    run(talk(tmp_path / "store", 1), **options)
    assert MemoryEntry.objects.get().created_at.hour == hour


def test_a_progress_bar(run, tmp_path, capsys):
    assert run(talk(tmp_path / "store", 2), progress=True)[0] == 0
    assert "comparing" in capsys.readouterr().err


def test_a_database_that_goes_away_is_told_and_the_next_run_goes_on(run, tmp_path, monkeypatch):
    from memories.importers import importing

    path = talk(tmp_path / "store", 2500)
    store_old = importing.store_old

    def lose_the_connection(batch):
        if MemoryEntry.objects.exists():
            with other_connection() as other:
                other.execute("SELECT pg_terminate_backend(%s)", [backend_pid()])
        return store_old(batch)

    monkeypatch.setattr(importing, "store_old", lose_the_connection)
    code, _, errors = run(path)
    connection.close()
    assert code == 1
    assert errors.startswith("The database does not answer: ")
    assert "\n" not in errors
    assert 0 < MemoryEntry.objects.count() < 2500
    monkeypatch.undo()
    code, out, _ = run(path)
    assert code == 0
    assert "1500 new, 1000 known" in out
    assert MemoryEntry.objects.count() == 2500


def test_an_interrupted_import_goes_on_where_it_stopped(run, tmp_path, monkeypatch):
    from memories.importers import importing

    path = make(tmp_path / "store", UNIFIED, memories=[unified(f"m-{n}") for n in range(1200)])
    store_old = importing.store_old

    def interrupt(batch):
        if MemoryEntry.objects.exists():
            raise KeyboardInterrupt
        return store_old(batch)

    monkeypatch.setattr(importing, "store_old", interrupt)
    code, _, errors = run(path)
    assert code == 130
    assert "goes on where it stopped" in errors
    monkeypatch.undo()
    assert "200 new, 1000 known" in run(path)[1]
    assert (MemoryEntry.objects.count(), Session.objects.count()) == (1200, 1)
