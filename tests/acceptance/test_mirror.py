"""An old store is mirrored while a process writes to it, across stops, and both sides agree."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.memories.importers.stores import UNIFIED, execute, make, unified

from .processes import REPOSITORY, environment, run_command, wait_until
from .wire import new_name, read

WRITER = Path(__file__).with_name("mirrored_writer.py")


@pytest.fixture
def start_mirror(server, tmp_path):
    """Starts mirrors whose output goes to files; stops those that run at the end."""
    started = []

    def start(path):
        log = tmp_path / f"mirror-{len(started)}.log"
        with log.open("wb") as out:
            process = subprocess.Popen(
                [sys.executable, "manage.py", "mirror_memories", path, "--every", "0.1"],
                cwd=REPOSITORY,
                env=environment(**server.settings),
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
