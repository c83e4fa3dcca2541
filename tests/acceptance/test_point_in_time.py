"""Back to a moment: what is written through an orchestrator, destroyed, and found again exactly."""

import gzip
import json
import shutil
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from memoryproject.postgres.archiving import SCRIPT
from memoryproject.postgres.layout import Layout
from memoryproject.postgres.locks import is_locked_exclusively

from .conftest import starting
from .databases import make_directory
from .processes import run_command, wait_until
from .wire import create, delete, new_name, page, request, update

EARLY, LATE = "2000-01-01T00:00Z", "2100-01-01T00:00Z"


class Installation:
    """A DATA_DIR and its archive, without a process that keeps the server running."""

    def __init__(self):
        self.directory = make_directory()
        self.layout = Layout(self.directory / "var")
        self.archive = self.directory / "archive"
        self.settings = {
            "DATA_DIR": self.layout.data_dir,
            "ARCHIVE_DIR": self.archive,
            "WAL_ARCHIVE": "true",
        }

    def run(self, *arguments, **settings):
        done = run_command(*arguments, **(self.settings | settings))
        assert done.returncode == 0, done.stderr
        return done.stdout

    def refusal(self, *arguments, **settings):
        done = run_command(*arguments, **(self.settings | settings))
        assert done.returncode != 0
        [sentence] = done.stderr.strip().splitlines()
        return sentence

    def end(self):
        wait_until(lambda: not is_locked_exclusively(self.layout.supervisor_lock), 60)
        shutil.rmtree(self.directory)


@pytest.fixture(scope="module")
def installation():
    made = Installation()
    yield made
    made.end()


@pytest.fixture
def start(installation, tmp_path):
    with starting(tmp_path, installation.settings) as start:
        yield start


def now():
    """A moment between the changes before it and those after."""
    moment = datetime.now(UTC)
    time.sleep(0.01)  # a clock that is read twice at once may say the same
    return moment.isoformat()


def told(peer, session_id):
    return {each["memory_id"]: each for each in peer.data(page(session_id))["memories"]}


@pytest.mark.timeout(300)  # three starts, two restores
def test_what_was_destroyed_is_there_as_it_was(installation, start, connect):
    orchestrator = start()
    peer, session_id = connect(orchestrator), new_name("s")
    first = peer.data(create(session_id, "before the base backup"))["memory_id"]
    erased = new_name("s")
    peer.data(create(erased, "of somebody who will be erased"))
    base = installation.run("backup", "--base").splitlines()[0]
    peer.data(create(session_id, "after it"))
    peer.data(update(session_id, first, "changed after it"))
    before, good = told(peer, session_id), now()
    peer.data(delete(session_id, first))
    peer.data(create(session_id, "after the moment"))
    after, bad = told(peer, session_id), now()
    peer.data(create(session_id, "the last one"))
    installation.run("erase_owner", "--session", erased, "--yes")

    last_base = peer.data(request("stats", session_id="s"))["backups"]["last_base"]
    assert last_base["path"] == base
    assert "is in use" in installation.refusal("restore", "--to", good)
    assert orchestrator.stop()[0] == 0
    assert "nothing before that" in installation.refusal("restore", "--to", EARLY)
    assert "The archive ends with" in installation.refusal("restore", "--to", LATE)
    assert {path.name for path in installation.layout.data_dir.glob("postgres*")} == {
        "postgres",
        "postgres.run",
    }
    shutil.rmtree(installation.layout.cluster)

    said = installation.run("restore", "--to", good)
    assert "searches found" in said and "1 of its owners had been erased since" in said
    orchestrator = start()
    peer = connect(orchestrator)
    assert told(peer, session_id) == before
    assert told(peer, erased) == {}
    texts = [
        each["content"]["text"]
        for each in peer.data(request("history", {"memory_id": first}, session_id))["revisions"]
    ]
    assert texts == ["before the base backup"]
    peer.data(create(session_id, "after the restore"))
    assert orchestrator.stop()[0] == 0

    # The proof stands in the present cluster too, from where the file gets it again.
    (installation.layout.data_dir / "erasures" / "erasures.jsonl").unlink()
    # The restore was a mistake: the moment was wrong. What stood there is laid aside.
    output = installation.run("restore", "--to", bad)
    assert "postgres.before-" in output
    orchestrator = start()
    peer = connect(orchestrator)
    assert (told(peer, session_id), told(peer, erased)) == (after, {})
    assert orchestrator.stop()[0] == 0


def flip_a_byte(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.timeout(300)
def test_a_damaged_base_backup_is_refused_and_a_needless_one_removed(installation):
    installation.run("migrate", "-v0")
    base = Path(installation.run("backup", "--base").splitlines()[0])
    for name, words in (("base.tar.gz", "pg_verifybackup"), ("pg_wal.tar.gz", "is damaged")):
        flip_a_byte(base / name)
        assert words in installation.refusal("restore", "--to", "latest")
        flip_a_byte(base / name)
    assert not list(installation.layout.data_dir.glob("postgres.recovering-*"))
    shutil.rmtree(installation.layout.cluster)
    assert "Recovered" in installation.run("restore", "--to", "latest")
    needed = json.loads((base / "memories.json").read_text())["first_segment"]
    assert (base.parent / "wal" / f"{needed}.gz").exists()
    output = installation.run("backup", "--base", "--keep-count", "1")
    assert f"removed {base}" in output  # and the one that the restore made
    assert [str(left) for left in base.parent.glob("base-*")] == output.splitlines()[:1]
    assert not (base.parent / "wal" / f"{needed}.gz").exists()


def test_a_segment_is_archived_whole_and_never_over_another(tmp_path):
    segment, wal = tmp_path / "segment", tmp_path / "wal"
    segment.write_bytes(b"one" * 10_000)
    wal.mkdir()

    def archive():
        command = ["/bin/sh", SCRIPT, segment, "0" * 24, wal]
        return subprocess.run(command, capture_output=True, text=True)

    for _ in range(2):  # PostgreSQL asks again where it was killed after the first
        assert archive().returncode == 0
    segment.write_bytes(b"two" * 10_000)
    refused = archive()
    assert refused.returncode != 0
    assert "with other content" in refused.stderr
    [kept] = wal.iterdir()
    assert gzip.decompress(kept.read_bytes()) == b"one" * 10_000
