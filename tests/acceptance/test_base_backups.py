"""The archive in docker-compose: the scripts of its image, on a PostgreSQL that archives."""

import os
import shutil
import subprocess

import pytest

from memoryproject.postgres.archiving import SCRIPT
from memoryproject.postgres.binaries import find_binaries

from .databases import make_directory
from .processes import REPOSITORY, wait_until

BASE_BACKUPS = REPOSITORY / "deploy" / "postgres" / "base_backups.sh"


@pytest.fixture
def archive(own_server):
    """The folder into which the server archives."""
    folder = make_directory()
    script = folder / SCRIPT.name
    script.write_text(SCRIPT.read_text())
    own_server.give(folder)
    own_server.rows("ALTER SYSTEM SET archive_mode = on")
    command = f'/bin/sh {script} "%%p" "%%f" {folder}'
    own_server.rows(f"ALTER SYSTEM SET archive_command = '{command}'")
    own_server.restart("fast")
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def run(own_server, archive):
    def run(what, **settings):
        return subprocess.run(
            ["/bin/sh", BASE_BACKUPS, archive, what],
            env={
                "PATH": f"{find_binaries().directory}{os.pathsep}{os.environ['PATH']}",
                **own_server.client_environment,
                **settings,
            },
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def segments(archive):
    return sorted(path.name for path in archive.glob("0*[0-9A-F].gz"))


def switch_segment(own_server, archive):
    """Returns when the one that was written is archived."""
    [(name,)] = own_server.rows(
        "SELECT pg_walfile_name(pg_switch_wal()) FROM pg_logical_emit_message(true, '', '')"
    )
    wait_until((archive / f"{name}.gz").exists)
    return name


def made_long_ago(base, name):
    renamed = base.rename(base.with_name(name))
    os.utime(renamed, (0, 0))
    return renamed


def test_base_backups_are_made_when_due_and_the_archive_keeps_within_bounds(
    own_server, archive, run
):
    assert run("check").returncode != 0  # there is none yet
    early = switch_segment(own_server, archive)
    made = run("once")
    assert made.returncode == 0, made.stderr
    [first] = archive.glob("base-*Z")
    assert f"{early}.gz" not in segments(archive)
    assert run("once").returncode == 0
    assert list(archive.glob("base-*Z")) == [first]  # it is not due
    assert run("check").returncode == 0
    kept = switch_segment(own_server, archive)
    first = made_long_ago(first, "base-20260131T083000Z")
    assert run("check").returncode != 0
    assert run("once").returncode == 0
    assert len(list(archive.glob("base-*Z"))) == 2
    assert f"{kept}.gz" in segments(archive)  # the older one needs it
    second = made_long_ago(max(archive.glob("base-*Z")), "base-20260228T083000Z")
    assert run("once", BASE_BACKUP_KEEP="1").returncode == 0
    [last] = archive.glob("base-*Z")
    assert last not in {first, second}
    assert f"{kept}.gz" not in segments(archive)


def test_nothing_is_made_where_nothing_is_archived(own_server, archive, run):
    own_server.rows("ALTER SYSTEM SET archive_mode = off")
    own_server.restart("fast")
    assert run("once").returncode == 0
    assert not list(archive.glob("base-*"))
    assert run("check").returncode == 0
