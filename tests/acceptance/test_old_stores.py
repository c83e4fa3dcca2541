"""The old stores come over: all seven formats, with all their dirt, by the real commands."""

import json
import signal
import subprocess
import sys
import uuid

import pytest

from tests.memories.importers.stores import UNIFIED, make, unified

from .old_stores import DIRT, dirty_stores, lengthened
from .processes import REPOSITORY, environment, run_command, wait_until
from .wire import new_name


@pytest.fixture(scope="module")
def database(server):
    """One for this module's tests alone, so that its rows can be counted."""
    name = f"old_{uuid.uuid4().hex[:8]}"
    server.rows(f"CREATE DATABASE {name}", database="postgres")
    yield name
    server.rows(f"DROP DATABASE {name} WITH (FORCE)", database="postgres")


@pytest.fixture(scope="module")
def settings(server, database, tmp_path_factory):
    settings = {"DATABASE_URL": server.url(database), "DATA_DIR": tmp_path_factory.mktemp("var")}
    assert run_command("migrate", **settings).returncode == 0
    return settings


@pytest.fixture(scope="module")
def rows(server, database):
    def rows(sql, *params):
        return server.rows(sql, *params, database=database)

    return rows


@pytest.fixture(scope="module")
def imports(settings):
    """Runs `import_memories`; the process."""

    def imports(*arguments, **changed):
        arguments = ["--timezone", "UTC", *map(str, arguments)]
        return run_command("import_memories", *arguments, **{**settings, **changed})

    return imports


def findings(report):
    """By file, the lines of the report in the form of DIRT."""
    found = {}
    for line in map(json.loads, report.read_text().splitlines()):
        told = f"{line['table']} {line['row']} | {line['found']}"
        found.setdefault(line["file"].rpartition("/")[2], []).append(told)
    return {name: sorted(lines) for name, lines in found.items()}


def test_all_seven_formats_with_all_their_dirt(imports, rows, tmp_path):
    stores, report = dirty_stores(tmp_path), tmp_path / "report"
    expected = {name: sorted(lines.strip().splitlines()) for name, lines in DIRT.items()}

    def run(*arguments):
        done = imports("--report", report, *arguments, *stores.values())
        assert (done.returncode, done.stderr) == (0, "")
        assert "DIFFERENT" not in done.stdout
        assert findings(report) == expected
        return rows("SELECT count(*) FROM memory_entries")[0][0] - others

    [(others,)] = rows("SELECT count(*) FROM memory_entries")
    assert run("--dry-run") == 0
    memories = run()
    assert memories == 8 + 12 + 6 + 7 + 6 + 6
    assert run() == memories
    done = imports("--verify", *stores.values())
    assert (done.returncode, "DIFFERENT" in done.stdout) == (0, False)
    assert rows("SELECT count(*) FROM memory_entries WHERE expires_at < now()") == [(2,)]
    assert rows("SELECT count(*) FROM sessions WHERE metadata ? 'recovered'") == [(2,)]
    with lengthened(stores):
        before = {path: path.read_bytes() for path in tmp_path.iterdir() if path != report}
        assert sum(path.name.endswith("-wal") for path in before) == 4
        assert run() == memories + 6
        after = {path: path.read_bytes() for path in tmp_path.iterdir() if path != report}
        assert before == after
    assert rows("SELECT count(*) FROM memory_entries WHERE text = 'later'") == [(6,)]
    assert rows("SELECT profile_data -> 'later' FROM user_profiles WHERE user_id = 'anna'") == [
        (True,)
    ]


def test_none_of_the_seven_is_taken_where_it_was_cut_short(imports, rows, tmp_path):
    before = rows("SELECT count(*) FROM memory_entries")
    stores = dirty_stores(tmp_path)
    for path in stores.values():
        path.write_bytes(path.read_bytes()[: -path.stat().st_size // 3])
    done = imports("--report", tmp_path / "report", *stores.values())
    assert done.returncode == 1
    *told, last = done.stderr.splitlines()
    assert [str(path) in line for path, line in zip(stores.values(), told, strict=True)] == [
        True
    ] * len(stores)
    assert last.startswith("CommandError: Not all is here as it should be")
    assert rows("SELECT count(*) FROM memory_entries") == before


def test_an_import_that_is_ended_in_the_middle_goes_on(settings, imports, rows, tmp_path):
    stem, count = new_name("m"), 10_000
    path = make(
        tmp_path / "store", UNIFIED, memories=(unified(f"{stem}-{n}") for n in range(count))
    )

    def here():
        return rows("SELECT count(*) FROM memory_entries WHERE starts_with(id, %s)", stem)[0][0]

    process = subprocess.Popen(
        [sys.executable, "manage.py", "import_memories", path],
        cwd=REPOSITORY,
        env=environment(**settings),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    wait_until(here, 60)
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert b"goes on where it stopped" in errors
    stopped_at = here()
    assert 0 < stopped_at < count
    done = imports(path)
    assert done.returncode == 0, done.stderr
    assert f"{count - stopped_at} new, {stopped_at} known" in done.stdout
    assert here() == count
