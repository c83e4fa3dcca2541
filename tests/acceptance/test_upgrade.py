"""Every version's tables, as make_fixture.py left them, are brought up to date and served; and
the next orchestrator takes over from the running one while clients go on."""

import subprocess
import sys
import threading
import time

import psycopg
import pytest

from memoryproject.postgres.binaries import find_binaries
from tests.needs import need
from zmqbridge.client import Client

from .make_fixture import FIXTURES, fixture_of
from .processes import REPOSITORY, run_command, wait_until
from .wire import create, page, read, request

# The last commit with the tables of that version.
RELEASES = {"0.1.0": "a73a29d"}
LONGEST_PAUSE_SECONDS = 15  # of a machine that does much else; a second or less on an idle one


@pytest.fixture(params=sorted(FIXTURES.glob("schema-*.sql")), ids=lambda path: path.stem)
def old_database(request, server):
    """The URL of a database as that version left it."""
    name = request.param.stem.replace("-", "_").replace(".", "_")
    server.rows(f"CREATE DATABASE {name}", database="postgres")
    psql = [find_binaries().psql, "--quiet", "--set=ON_ERROR_STOP=1", f"--file={request.param}"]
    done = subprocess.run(
        [*psql, server.address.dsn(name)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    yield server.url(name)
    server.rows(f"DROP DATABASE {name} WITH (FORCE)", database="postgres")


def test_an_old_database_is_brought_up_to_date_and_served(old_database, start, connect):
    peer = connect(start(DATABASE_URL=old_database))
    [session] = peer.data(request("list_sessions", {"user_id": "ada"}, "any"))["sessions"]
    assert session["summary"] == "Tea was found."
    opened = session["session_id"]
    milk, tea = peer.data(page(opened))["memories"]
    assert tea["content"] == {"text": "The tea is in the red tin."}
    assert (tea["tags"], tea["priority"]) == (["kitchen", "tea"], 8)
    assert peer.data(read(tea["memory_id"])) == tea
    [revision] = peer.data(request("history", {"memory_id": tea["memory_id"]}, opened))["revisions"]
    assert revision["content"] == {"text": "The tea is in the blue tin."}
    found = peer.data(request("search", {"query": "tea", "search_type": "keyword"}, opened))
    assert [memory["memory_id"] for memory in found["results"]] == [tea["memory_id"]]
    asked = request("related", {"memory_id": tea["memory_id"]}, opened)
    [related] = peer.data(asked)["memories"]
    assert related["memory_id"] == milk["memory_id"]
    profile = peer.data(request("get_profile", {"user_id": "ada"}, opened))
    assert profile["preferences"] == {"tea": "black"}
    state = peer.data(request("get_state", {"agent_id": "cook"}, opened))
    assert state["state"] == {"step": 3}
    [own] = peer.data(page("own-session"))["memories"]
    assert own["expires_at"]
    peer.data(create(opened, "A new one."))
    assert peer.data(page(opened))["total_count"] == 3
    checked = run_command("makemigrations", "--check", "--dry-run", DATABASE_URL=old_database)
    assert checked.returncode == 0, checked.stdout


def test_the_tables_of_a_release_are_never_written_anew():
    with pytest.raises(SystemExit, match="raise VERSION"):
        fixture_of("0.1.0")


class Talk(threading.Thread):
    """A client that writes, changes and reads without pause, and notes what was acknowledged."""

    def __init__(self, endpoint, session_id):
        super().__init__(daemon=True)
        self._endpoint, self.session_id = endpoint, session_id
        self.ending = threading.Event()
        self.acknowledged, self.problems, self.longest_seconds = {}, [], 0.0

    def run(self):
        with Client(self._endpoint, session_id=self.session_id, timeout_seconds=60) as client:
            while not self.ending.is_set() and not self.problems:
                began = time.monotonic()
                try:
                    self._turn(client)
                except Exception as error:
                    self.problems.append(repr(error))
                self.longest_seconds = max(self.longest_seconds, time.monotonic() - began)

    def _turn(self, client):
        text = f"{self.session_id} {len(self.acknowledged)}"
        memory_id = client.create(text).memory_id
        self.acknowledged[memory_id] = text
        client.update(memory_id, content=f"{text} changed")
        self.acknowledged[memory_id] = f"{text} changed"
        read = client.read(memory_id, fresh=True).text
        if read != f"{text} changed":
            self.problems.append(f"{memory_id} was read as {read!r}")

    def wait_for_more(self):
        had = len(self.acknowledged)
        wait_until(lambda: len(self.acknowledged) > had + 3 or self.problems, 60)


@pytest.fixture
def talks():
    """Starts clients, and ends them."""
    started = []

    def talk(endpoint, count=3):
        started.extend(Talk(endpoint, f"talk-{number}") for number in range(count))
        for each in started:
            each.start()
        return started

    yield talk
    for each in started:
        each.ending.set()
        each.join(70)


def check_out(version, directory):
    """The program of a release, out of the repository's history."""
    directory.mkdir()
    archive = subprocess.run(
        ["git", "archive", RELEASES[version]], cwd=REPOSITORY, capture_output=True, check=False
    )
    need(archive.returncode == 0, "REQUIRE_HISTORY", "The repository's history is not here.")
    subprocess.run(["tar", "--extract"], cwd=directory, input=archive.stdout, check=True)
    return directory


@pytest.mark.parametrize("running", [*RELEASES, "this version"])
@pytest.mark.timeout(240)
def test_an_upgrade_under_traffic_loses_nothing(
    running, old_database, server, start, talks, tmp_path
):
    program = REPOSITORY if running == "this version" else check_out(running, tmp_path / "old")
    old = start(repository=program, DATABASE_URL=old_database)
    clients = talks(old.endpoint)
    for client in clients:
        client.wait_for_more()
    take_over = ("--take-over", "60", "--bind", old.endpoint)
    new = start(*take_over, ready=False, DATABASE_URL=old_database)
    wait_until(lambda: "Warm." in new.errors(), 60)
    for client in clients:
        client.wait_for_more()  # of the old one, on the new one's tables
    migrating_seconds = max(client.longest_seconds for client in clients)
    code, stop_seconds = old.stop()
    new.wait_ready()
    for client in clients:
        client.wait_for_more()
        client.ending.set()
        client.join(70)
    assert (code, [client.problems for client in clients]) == (0, [[]] * len(clients))
    acknowledged = {}
    for client in clients:
        acknowledged |= client.acknowledged
    with psycopg.connect(old_database) as connection:
        stored = dict(
            connection.execute(
                "SELECT id, text FROM memory_entries WHERE session_id LIKE 'talk-%'"
            ).fetchall()
        )
    assert stored == acknowledged
    longest_seconds = max(client.longest_seconds for client in clients)
    sys.stdout.write(
        f"from {running}: {len(stored)} memories; longest turn of create, update and read "
        f"{migrating_seconds:.2f} s while the new one migrated, {longest_seconds:.2f} s in all; "
        f"the old one stopped within {stop_seconds:.2f} s\n"
    )
    assert longest_seconds < LONGEST_PAUSE_SECONDS


def test_migrations_wait_beside_a_table_in_use_not_before_its_users(old_database, server, start):
    """A backup reads every table for as long as it takes; writes go on meanwhile."""
    with psycopg.connect(old_database) as backup, psycopg.connect(old_database) as writer:
        backup.execute("LOCK TABLE embeddings IN ACCESS SHARE MODE")
        new = start(ready=False, DATABASE_URL=old_database, DATABASE_WAIT_SECONDS=60)
        wait_until(lambda: "A table is in use" in new.errors(), 60)
        writer.execute("SET lock_timeout = '10s'")
        writer.execute("LOCK TABLE embeddings IN ROW EXCLUSIVE MODE")
        writer.rollback()
        backup.rollback()
    new.wait_ready()


def test_who_takes_over_in_vain_says_so(orchestrator, start, tmp_path):
    """Also of a Unix socket, which ZeroMQ would take from whoever serves there."""
    path = f"ipc://{tmp_path}/socket"
    first = start("--bind", path)
    for endpoint in (orchestrator.endpoint, path):
        second = start("--take-over", "0.2", "--bind", endpoint, ready=False)
        assert second.process.wait(60) == 1
        assert "An endpoint cannot be bound" in second.errors()
        assert "Traceback" not in second.errors()
    waiting = start("--take-over", "60", "--bind", path, ready=False)
    wait_until(lambda: "Warm." in waiting.errors(), 60)
    assert waiting.stop()[0] == 0
    with Client(first.endpoint, timeout_seconds=20) as client:
        assert client.ping().problems.keys() <= {"cache"}
