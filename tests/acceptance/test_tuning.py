"""`manage.py tune_postgres` on servers of its own: what it shows, sets, and may not set."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from .databases import EmbeddedServer

ROOT = Path(__file__).resolve().parents[2]


def manage(server_settings, *arguments):
    """A finished manage.py; a plain message and no traceback, whatever its exit code."""
    ran = subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": "", **{k: str(v) for k, v in server_settings.items()}},
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert "Traceback" not in ran.stderr
    return ran


def tune(server_settings, *arguments):
    return manage(server_settings, "tune_postgres", *arguments)


@pytest.fixture(scope="module")
def migrated(own_server):
    assert manage(own_server.settings, "migrate").returncode == 0
    return own_server


@pytest.fixture
def embedded():
    server = EmbeddedServer()
    assert manage(server.settings, "migrate").returncode == 0
    yield server
    server.remove()


def test_an_account_without_rights_is_told_what_a_superuser_has_to_run(migrated):
    migrated.rows("CREATE ROLE guest LOGIN")
    migrated.rows("GRANT pg_read_all_data TO guest")
    as_guest = {
        name: str(value).replace("memories@", "guest@", 1)
        for name, value in migrated.settings.items()
    }
    before = migrated.rows("SHOW work_mem")
    ran = tune(as_guest, "--apply", "--memory=32GB")
    assert ran.returncode == 1
    assert "The account guest may not set shared_buffers" in ran.stderr
    assert "ALTER SYSTEM SET \"work_mem\" = '64MB';" in ran.stderr
    assert migrated.rows("SHOW work_mem") == before


def test_what_differs_is_shown_set_and_then_no_more(migrated):
    shown = tune(migrated.settings)
    assert shown.returncode == 0
    assert "compiling costs more than these short queries" in shown.stdout
    before = tune(migrated.settings, "--check", "--memory=4GB")
    assert before.returncode == 1
    assert "Settings that differ" in before.stderr and "512MB (restart)" in before.stdout
    applied = tune(migrated.settings, "--apply", "--memory=4GB")
    assert applied.returncode == 0, applied.stderr
    assert "A restart is needed for" in applied.stdout
    assert migrated.rows("SHOW jit") == [("off",)]
    assert migrated.rows("SHOW shared_buffers") != [("512MB",)]
    migrated.stop()
    migrated.start()
    assert migrated.rows("SHOW shared_buffers") == [("512MB",)]
    after = tune(migrated.settings, "--check", "--memory=4GB")
    assert after.returncode == 0, after.stdout + after.stderr


def test_dead_rows_and_missing_indexes_are_named(migrated):
    migrated.rows("CREATE TABLE junk AS SELECT n FROM generate_series(1, 5000) n")
    migrated.rows("ALTER TABLE junk SET (autovacuum_enabled = off)")
    migrated.rows("DELETE FROM junk")
    migrated.rows("DROP INDEX memories_words")
    ran = tune(migrated.settings, "--check")
    assert ran.returncode == 1
    assert "The table junk holds 5000 dead rows beside 0: VACUUM junk." in ran.stdout
    [told] = [line for line in ran.stdout.splitlines() if "memories_words is missing" in line]
    migrated.rows(told.partition("missing: ")[2])
    migrated.rows("DROP TABLE junk")
    assert "memories_words" not in tune(migrated.settings).stdout


def test_a_new_embedded_server_is_as_advised_and_its_own_file_is_used(embedded):
    fresh = tune(embedded.settings, "--check")
    assert fresh.returncode == 0, fresh.stdout + fresh.stderr
    own_file = embedded.layout.data_dir / "postgres.conf"
    own_file.write_text("# mine\njit = on\nlog_connections = on\n")
    embedded.rows("SELECT pg_reload_conf()")
    assert tune(embedded.settings, "--check").returncode == 1
    applied = tune(embedded.settings, "--apply")
    assert str(own_file) in applied.stdout
    assert own_file.read_text() == "# mine\nlog_connections = on\njit = 'off'\n"
    assert tune(embedded.settings, "--check").returncode == 0
