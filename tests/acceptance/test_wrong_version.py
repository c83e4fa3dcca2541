"""A PostgreSQL that is too old, and without pgvector: the start and the doctor say so."""

from pathlib import Path

import pytest

from tests.needs import need

from .databases import OwnServer
from .processes import run_command

OLD = Path("/usr/lib/postgresql/15/bin")


@pytest.fixture(scope="module")
def old_server():
    why = "There is no PostgreSQL 15: install Debian's package postgresql-15."
    need(OLD.is_dir(), "REQUIRE_OLD_POSTGRES", why)
    own = OwnServer(OLD)
    yield own
    own.remove()


@pytest.mark.parametrize("command", ["run_orchestrator", "prepare_database"])
def test_the_start_refuses_it_in_one_sentence(old_server, command):
    refused = run_command(command, **old_server.settings)
    assert refused.returncode == 1
    assert refused.stderr.strip() == (
        "CommandError: The database runs PostgreSQL 15; version 16 or newer is needed. "
        "Move it to a newer server: dump it, restore the dump there."
    )


def test_the_doctor_names_it_and_looks_at_the_rest(old_server):
    told = run_command("doctor", **old_server.settings)
    assert told.returncode == 1
    assert "Traceback" not in told.stderr
    broken = [line for line in told.stdout.splitlines() if line.startswith("broken")]
    assert any("PostgreSQL 15; version 16 or newer is needed" in line for line in broken)
    assert "disks: DATA_DIR" in told.stdout
