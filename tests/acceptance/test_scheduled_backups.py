"""The orchestrator backs up when it is due: once for all, off the way of requests and of a stop."""

import pytest

from .conftest import starting
from .databases import EmbeddedServer
from .processes import run_command, wait_until
from .wire import create, new_name, request

# Far from every minute of a test: it is due at once, since there was none, and not again.
YEARLY = "0 0 1 1 *"
WAITING = "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = 'memories'"


@pytest.fixture(scope="module")
def own():
    embedded = EmbeddedServer()
    done = run_command("migrate", "-v0", **embedded.settings)
    assert done.returncode == 0, done.stderr
    yield embedded
    embedded.remove()


@pytest.fixture
def scheduled(own, tmp_path):
    """Starts orchestrators that back up into `tmp_path / "kept"`."""
    own.rows("TRUNCATE backups")
    plan = {"BACKUP_SCHEDULE": YEARLY, "BACKUP_DIR": tmp_path / "kept"}
    with starting(tmp_path, own.settings | plan) as start:
        yield start


def told(peer):
    return peer.data(request("stats", session_id="s"))


def ticks(peer):
    return told(peer)["jobs"]["backup"]["runs"]


def test_one_of_two_backs_up_and_both_tell_of_it(scheduled, connect, tmp_path):
    peers = [connect(scheduled(BACKUP_VERIFY="true")) for _ in range(2)]
    wait_until(lambda: told(peers[0])["backups"]["last"], 60)
    wait_until(lambda: told(peers[1])["backups"]["last"]["verified_at"], 60)
    seen = [ticks(peer) for peer in peers]
    wait_until(lambda: all(ticks(peer) > was for peer, was in zip(peers, seen, strict=True)), 30)
    [file] = (tmp_path / "kept").glob("*.dump")
    last, other = (told(peer)["backups"]["last"] for peer in peers)
    assert last == other
    assert last["path"] == str(file)
    assert last["size_bytes"] == file.stat().st_size


def test_a_backup_by_hand_counts(own, scheduled, connect, tmp_path):
    done = run_command("backup", "--to", str(tmp_path / "other"), **own.settings)
    assert done.returncode == 0, done.stderr
    peer = connect(scheduled())
    wait_until(lambda: ticks(peer) > 1, 30)
    assert told(peer)["backups"]["last"]["path"] == done.stdout.splitlines()[0]
    assert not (tmp_path / "kept").exists()


def test_neither_requests_nor_a_stop_wait_for_a_backup(own, scheduled, connect, tmp_path):
    session_id = new_name("s")
    with own.connect() as holder:
        orchestrator = scheduled(GRACE_SECONDS=60)
        peer = connect(orchestrator)
        holder.execute("BEGIN; LOCK TABLE agent_states")  # that pg_dump has to read
        wait_until(lambda: own.rows(WAITING), 30)
        assert peer.data(create(session_id, "meanwhile"))["memory_id"]
        code, seconds = orchestrator.stop()
    assert (code, seconds < 25) == (0, True)
    wait_until(lambda: not own.rows(WAITING))
    assert list((tmp_path / "kept").iterdir()) == []
    assert own.rows("SELECT count(*) FROM backups") == [(0,)]  # a stop is no failure


def test_a_failure_is_told_in_a_sentence(scheduled, connect, tmp_path):
    (tmp_path / "kept").write_text("a file")
    orchestrator = scheduled()
    peer = connect(orchestrator)
    failure = wait_until(lambda: told(peer)["backups"]["failure"], 60)
    assert failure["reason"].endswith("kept is no folder: name one with --to.")
    assert failure["reason"] in orchestrator.errors().replace("The backup failed: ", "backup: ")
    assert told(peer)["backups"]["last"] is None


def test_a_schedule_that_is_none_stops_the_start():
    done = run_command("check", BACKUP_SCHEDULE="at night")
    assert done.returncode != 0
    assert "BACKUP_SCHEDULE is 'at night', which is no schedule" in done.stderr
