"""A full disk or a file that is closed: one sentence, and the second run finishes the work."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.memories.importers.stores import make_json, talk

from .databases import make_directory
from .processes import REPOSITORY, environment, run_command

NOBODY = 65534
# Of 32 kB each, which no compression makes small.
CROWD = """
INSERT INTO sessions (id, owner_id, user_id, session_type, metadata, summary, created_at,
    updated_at, is_archived)
SELECT 'crowd-' || n, gen_random_uuid(), '', 'crowd', '{}', (
    SELECT string_agg(md5(random()::text || n || i), '') FROM generate_series(1, 1000) i),
    now(), now(), false FROM generate_series(1, %s::int) n"""
CROWD_ROWS = 500


def without(reason):
    """As root alone. Elsewhere a test is skipped, or fails where REQUIRE_ROOT is set."""
    (pytest.fail if os.environ.get("REQUIRE_ROOT") else pytest.skip)(reason)


@pytest.fixture
def directory():
    """Which another account may enter."""
    made = make_directory()
    yield made
    shutil.rmtree(made)


@pytest.fixture
def tiny(directory):
    """Mounts a disk of so many kilobytes; a second time it changes the size."""
    disk = directory / "tiny"
    disk.mkdir()

    def tiny(kilobytes):
        how = "remount," if os.path.ismount(disk) else ""
        options = f"{how}size={kilobytes}k,mode=755"
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(disk)]
        if subprocess.run(command, capture_output=True).returncode != 0:
            without("a small disk can be mounted by root alone")
        return disk

    yield tiny
    if os.path.ismount(disk):
        subprocess.run(["umount", "--lazy", str(disk)], check=True)


def sentences(done):
    assert done.returncode != 0
    assert "Traceback" not in done.stderr, done.stderr
    return done.stderr.strip().splitlines()


def test_no_room_for_the_copy_or_the_report(own_server, tiny, tmp_path):
    settings = own_server.settings
    disk = tiny(64)
    entry = {"timestamp": 1709290800, "memory": "x" * 100}
    sqlite = talk(tmp_path / "store", turns=1000)
    text = make_json(tmp_path / "json", {"anna": [entry | {"n": n} for n in range(250)]})
    fits = talk(tmp_path / "fits", turns=3)
    done = run_command("import_memories", *map(str, (sqlite, text, fits)), TMPDIR=disk, **settings)
    no_copy, no_tables, ended = sentences(done)
    assert no_copy.startswith(f"{sqlite} does not fit into {disk}")
    assert no_tables.startswith(str(text)) and "full" in no_tables
    assert str(fits) not in ended
    assert list(disk.iterdir()) == []
    dirty = talk(tmp_path / "dirty", turns=1)
    make_json(tmp_path / "dirty.json", {"anna": [{"memory": "no time"} for _ in range(2000)]})
    done = run_command(
        "import_memories", "--report", str(disk / "r"), str(tmp_path / "dirty.json"), **settings
    )
    [sentence] = sentences(done)
    assert "The report cannot be written" in sentence and "No space left" in sentence
    paths = (sqlite, text, fits, dirty, tmp_path / "dirty.json")
    done = run_command("import_memories", *map(str, paths), **settings)
    assert done.returncode == 0, done.stderr


def test_a_file_that_another_account_may_not_read(own_server, directory):
    closed, good = talk(directory / "closed", turns=2), talk(directory / "good", turns=4)
    closed.chmod(0o600)
    good.chmod(0o644)
    data_dir = directory / "var"
    data_dir.mkdir()
    os.chown(data_dir, NOBODY, NOBODY)
    other = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    if os.geteuid() != 0 or shutil.which("setpriv") is None:
        without("only root becomes another account")
    done = subprocess.run(
        [*other, sys.executable, "manage.py", "import_memories", closed, good],
        cwd=REPOSITORY,
        env=environment(**(own_server.settings | {"DATA_DIR": data_dir, "HOME": data_dir})),
        capture_output=True,
        text=True,
    )
    told, ended = sentences(done)
    assert told == f"{closed} cannot be read: permission denied to the user {NOBODY}."
    assert str(good) not in ended
    sql = "SELECT count(*) FROM memory_entries WHERE text = 'turn 4'"
    assert own_server.rows(sql) == [(1,)]


@pytest.mark.timeout(240)
def test_a_disk_that_fills_during_a_restore(own_server, tiny, tmp_path):
    settings = own_server.settings
    assert run_command("migrate", **settings).returncode == 0
    own_server.rows(CROWD, CROWD_ROWS)
    try:
        made = run_command("backup", "--to", str(tmp_path), **settings)
        assert made.returncode == 0, made.stderr
        backup = made.stdout.splitlines()[0]
    finally:
        own_server.rows("DELETE FROM sessions WHERE session_type = 'crowd'")
    disk = tiny(400_000)
    settings = {"DATA_DIR": disk / "var"}
    assert run_command("check", "--database", "default", **settings).returncode == 0
    tiny((shutil.disk_usage(disk).used >> 10) + 20_000)
    done = run_command("restore", backup, seconds=120, **settings)
    [sentence] = sentences(done)
    assert sentence.startswith(f"CommandError: {backup} cannot be restored: ")
    tiny(400_000)
    done = run_command("restore", backup, seconds=120, **settings)
    assert done.returncode == 0, done.stderr
    counts = json.loads(Path(f"{backup}.json").read_text())["content"]
    assert counts["public.sessions"]["rows"] >= CROWD_ROWS
