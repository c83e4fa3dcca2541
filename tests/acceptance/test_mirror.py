"""An old store is mirrored while a process writes to it, across stops, and both sides agree."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from tests.memories.importers.stores import UNIFIED, execute, extend, make, unified

from .processes import REPOSITORY, environment, run_command, wait_until
from .wire import new_name, read

WRITER = Path(__file__).with_name("mirrored_writer.py")


@pytest.fixture
def start_mirror(server, tmp_path):
    """Starts mirrors whose output goes to files; stops those that run at the end."""
    started = []

    def start(path, settings=server.settings):
        log = tmp_path / f"mirror-{len(started)}.log"
        with log.open("wb") as out:
            process = subprocess.Popen(
                [sys.executable, "manage.py", "mirror_memories", path, "--every", "0.1"],
                cwd=REPOSITORY,
                env=environment(**settings),
                stdout=out,
                stderr=subprocess.STDOUT,
            )
        started.append(process)
        return process, log

    yield start
    for process in started:
        process.kill()
        process.wait()


def compare(path, server):
    return run_command("mirror_memories", str(path), "--compare", **server.settings)


def test_a_store_that_is_written_to_is_followed(server, start_mirror, orchestrator, peer, tmp_path):
    first = new_name("first")
    path = make(tmp_path / "u.db", UNIFIED, memories=[unified(first)])
    writer = subprocess.Popen(
        [sys.executable, WRITER, path, new_name("m")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )
    try:
        mirror, log = start_mirror(path)
        wait_until(lambda: log.read_text().count(" behind") >= 2, 60)
        assert " new, " in log.read_text()
        mirror.send_signal(signal.SIGTERM)
        assert mirror.wait(30) == 0
        assert "Stopped." in log.read_text()
        mirror, log = start_mirror(path)
        wait_until(lambda: " behind" in log.read_text(), 60)
    finally:
        writer.communicate(b"", timeout=30)
    wait_until(lambda: compare(path, server).returncode == 0, 60)

    def text():
        return peer.data(read(first))["content"]["text"]

    assert text() == f"content of {first}"
    execute(path, "UPDATE memories SET content = 'changed' WHERE memory_id = ?", first)
    wait_until(lambda: text() == "changed", 30)
    mirror.send_signal(signal.SIGINT)
    assert mirror.wait(30) == 0

    execute(path, "UPDATE memories SET content = 'later' WHERE memory_id = ?", first)
    done = compare(path, server)
    assert done.returncode == 1
    assert f"memories {first}: is not here as the file has it" in done.stdout
    assert "1 differences" in done.stderr or "1 difference" in done.stderr


@pytest.mark.timeout(180)
def test_it_goes_on_when_the_database_restarts_and_when_an_older_one_is_restored(
    own_server, start_mirror, tmp_path
):
    settings = own_server.settings
    path = make(tmp_path / "u.db", UNIFIED, memories=[unified("m-1"), unified("gone")])

    def here():
        sql = "SELECT id FROM memory_entries WHERE deleted_at IS NULL"
        return {an_id for (an_id,) in own_server.rows(sql)}

    def brings(*memory_ids):
        try:
            return here() == set(memory_ids)
        except psycopg.OperationalError:
            return False  # it is just being replaced

    assert run_command("migrate", **settings).returncode == 0
    mirror, log = start_mirror(path, settings)
    wait_until(lambda: brings("m-1", "gone"), 60)
    done = run_command("backup", "--to", str(tmp_path / "backups"), **settings)
    assert done.returncode == 0, done.stderr
    backup = done.stdout.splitlines()[0]
    own_server.restart("immediate")
    extend(path, memories=[unified("m-2")])
    execute(path, "DELETE FROM memories WHERE memory_id = 'gone'")
    wait_until(lambda: brings("m-1", "m-2"), 60)
    done = run_command("restore", "--replace", backup, **settings)
    assert done.returncode == 0, done.stderr
    wait_until(lambda: brings("m-1", "m-2"), 60)  # though nothing was written to the file
    mirror.send_signal(signal.SIGTERM)
    assert mirror.wait(30) == 0
    assert "Traceback" not in log.read_text()
    assert run_command("mirror_memories", str(path), "--compare", **settings).returncode == 0


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [("none", None, "does not exist"), ("empty", b"", "0 bytes"), ("text", b"hello", "")],
)
def test_a_file_that_is_no_store_is_refused(server, tmp_path, name, content, words):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    done = run_command("mirror_memories", str(path), **server.settings)
    assert done.returncode != 0
    [sentence] = done.stderr.strip().splitlines()
    assert words in sentence
    assert "Traceback" not in sentence
