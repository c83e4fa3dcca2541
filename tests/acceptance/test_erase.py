"""A user is erased while others talk: gone at once, everywhere, and again after a restore."""

import json
import shutil
import signal
import subprocess
import sys
import uuid

import pytest

from .processes import REPOSITORY, environment, run_command, wait_until
from .wire import create, new_name, page, read, request, update

TABLES = (
    "memory_entries",
    "sessions",
    "revisions",
    "embeddings",
    "relationships",
    "user_profiles",
    "access_log",
    "request_keys",
    "agent_states",
)


@pytest.fixture
def said(peer):
    return live(peer)


def live(peer):
    """A user with a session and two memories, one of them changed."""
    user, session = new_name("u"), new_name("s")
    peer.data(request("create_session", {"user_id": user}, session))
    memory_ids = [peer.data(create(session, f"{session} {n}"))["memory_id"] for n in range(2)]
    peer.data(update(session, memory_ids[0], f"{session} changed"))
    peer.data(request("update_profile", {"user_id": user, "preferences": {"a": 1}}, session))
    return user, session, memory_ids


def erase(server, *arguments):
    return run_command("erase_owner", *arguments, **server.settings)


def found_in(server, text):
    """How many rows, of all tables, hold this text."""
    counts = [
        server.rows(f"SELECT count(*) FROM {table} t WHERE t::text LIKE %s", f"%{text}%")[0][0]
        for table in TABLES
    ]
    return sum(counts)


def test_what_a_client_reads_from_a_cache_is_not_found_after(
    server, connect, orchestrator, start_more, said
):
    user, session, memory_ids = said
    peers = [connect(orchestrator), connect(start_more())]
    for peer in peers:
        assert all(peer.data(read(memory_id)) for memory_id in memory_ids for _ in range(3))
    done = erase(server, user, "--yes", "--by", "the tester")
    assert done.returncode == 0, done.stderr
    assert "is erased" in done.stdout
    for peer in peers:
        for memory_id in memory_ids:
            assert peer.ask(read(memory_id))["error"]["code"] == "memory_not_found"
        assert peer.data(page(session))["total_count"] == 0
        profile = peer.data(request("get_profile", {"user_id": user}, session))
        assert profile["preferences"] == {}
    wait_until(lambda: found_in(server, session) == 0)  # the last reads are flushed meanwhile
    [(counts, by)] = server.rows(
        "SELECT counts, erased_by FROM erasures ORDER BY erased_at DESC LIMIT 1"
    )
    assert (counts["memory_entries"], counts["revisions"], by) == (2, 1, "the tester")
    # the session begins a new life, of nobody, in both
    for peer in peers:
        peer.data(create(session, "new"))
    assert server.rows("SELECT user_id FROM sessions WHERE id = %s", session) == [("",)]
    assert [peer.data(page(session))["total_count"] for peer in peers] == [2, 2]


def test_a_restore_erases_again_who_was_erased_after_the_backup(server, peer, said, tmp_path):
    user, session, _ = said
    other_session = new_name("s")
    peer.data(create(other_session, "stays"))
    made = run_command("backup", "--to", str(tmp_path / "backups"), **server.settings)
    assert made.returncode == 0, made.stderr
    backup = made.stdout.splitlines()[0]
    data_dir = tmp_path / "var"
    settings = {"DATA_DIR": data_dir, "DATABASE_URL": server.url()}
    assert run_command("erase_owner", user, "--yes", **settings).returncode == 0
    later = run_command("backup", "--to", str(tmp_path / "later"), **server.settings)
    peer.data(create(session, "said after it was erased"))

    database = f"other_{uuid.uuid4().hex[:8]}"
    settings["DATABASE_URL"] = server.url(database)
    try:
        done = run_command("restore", backup, **settings)
        assert done.returncode == 0, done.stderr
        assert "1 of its owners had been erased since" in done.stdout
        memories = "SELECT count(*) FROM memory_entries WHERE text LIKE %s"
        for text, count in ((f"{session}%", 0), ("stays", 1)):
            assert server.rows(memories, text, database=database) == [(count,)]
        opened = "SELECT FROM sessions WHERE id = %s"
        assert server.rows(opened, session, database=database) == []
        assert server.rows("SELECT FROM orchestrators", database=database) == []  # none runs there
        # the proof came along: a restore of that database knows it without the file
        shutil.rmtree(data_dir)
        done = run_command("restore", "--replace", backup, **settings)
        assert "1 of its owners had been erased since" in done.stdout, done.stderr
        lines = (data_dir / "erasures" / "erasures.jsonl").read_text().splitlines()
        newest = max(map(json.loads, lines), key=lambda proof: proof["erased_at"])
        assert newest["counts"]["memory_entries"] == 2
        # what a backup holds that is younger than the erasure stays
        done = run_command("restore", "--replace", later.stdout.splitlines()[0], **settings)
        assert done.returncode == 0, done.stderr
        assert "erased" not in done.stdout
        (data_dir / "erasures" / "erasures.jsonl").write_text("nonsense\n")
        done = run_command("restore", "--replace", backup, **settings)
        assert_refused(done, "damaged")
    finally:
        server.rows(f"DROP DATABASE IF EXISTS {database} WITH (FORCE)", database="postgres")


@pytest.fixture
def begin(server):
    """Starts commands on a database of the server; ends those that still run."""
    started = []

    def begin(*arguments, **settings):
        process = subprocess.Popen(
            [sys.executable, "manage.py", *arguments],
            cwd=REPOSITORY,
            env=environment(**settings),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield begin
    for process in started:
        process.kill()
        process.communicate()


def kill_before(server, begin, settings, database, user, table):
    """Erase the user, and kill the command when it comes to this table."""
    waiting = """SELECT count(*) FROM pg_stat_activity
        WHERE datname = %s AND wait_event_type = 'Lock' AND query LIKE %s"""
    with server.connect(database) as connection, connection.transaction():
        connection.execute(f"LOCK TABLE {table} IN SHARE MODE")
        process = begin("erase_owner", user, "--yes", **settings)
        wait_until(lambda: server.rows(waiting, database, f"%DELETE FROM {table}%")[0][0], 60)
        process.kill()
        process.wait()
    wait_until(lambda: not server.rows(waiting, database, f"%DELETE FROM {table}%")[0][0])


@pytest.mark.timeout(180)
def test_an_erasure_that_was_killed_and_one_during_a_restore_are_repeated_by_it(
    server, peer, begin, tmp_path
):
    tables = ("sessions", "memory_entries", "relationships", "user_profiles")
    killed = {table: live(peer)[:2] for table in tables}
    stays, meanwhile = live(peer)[:2], live(peer)[:2]
    made = run_command("backup", "--to", str(tmp_path / "backups"), **server.settings)
    backup = made.stdout.splitlines()[0]
    database = f"other_{uuid.uuid4().hex[:8]}"
    settings = {"DATA_DIR": tmp_path / "var", "DATABASE_URL": server.url(database)}

    def here(session):
        found = "SELECT count(*) FROM memory_entries WHERE session_id = %s"
        return server.rows(found, session, database=database)[0][0]

    try:
        assert run_command("restore", backup, **settings).returncode == 0
        for table, (user, _) in killed.items():
            kill_before(server, begin, settings, database, user, table)
        _, session = killed.pop("sessions")  # of which nothing was removed, and no proof made
        assert here(session) == 2
        assert [here(session) for _, session in killed.values()] == [2, 0, 0]
        counts = "SELECT counts FROM erasures ORDER BY erased_at DESC LIMIT 3"
        assert server.rows(counts, database=database) == [({},)] * 3
        user, _ = killed.pop("relationships")  # the same command again ends it
        done = run_command("erase_owner", user, "--yes", **settings)
        assert done.returncode == 0, done.stderr

        restore = begin("restore", "--replace", backup, **settings)
        scratch = "SELECT count(*) FROM pg_database WHERE starts_with(datname, 'memories_scratch_')"
        wait_until(lambda: server.rows(scratch)[0][0], 60)
        restore.send_signal(signal.SIGSTOP)
        done = run_command("erase_owner", meanwhile[0], "--yes", **settings)
        assert done.returncode == 0, done.stderr
        restore.send_signal(signal.SIGCONT)
        told, errors = restore.communicate(timeout=120)
        assert restore.returncode == 0, errors
        assert "4 of its owners had been erased since" in told
        assert [here(session) for _, session in (*killed.values(), meanwhile)] == [0, 0, 0]
        assert here(stays[1]) == 2
        assert ({},) not in server.rows("SELECT counts FROM erasures", database=database)
        for user, _ in (*killed.values(), meanwhile):
            done = run_command("erase_owner", user, "--yes", **settings)
            assert_refused(done, "Nothing is stored")
    finally:
        server.rows(f"DROP DATABASE IF EXISTS {database} WITH (FORCE)", database="postgres")


def assert_refused(done, words):
    assert done.returncode != 0
    assert words in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nobody-of-that-name", "--yes"], "Nothing is stored of a user 'nobody-of-that-name'"),
        ([], "Name one owner"),
        (["a", "--session", "b"], "Name one owner"),
        (["--owner", "five"], "is no UUID"),
        (["--session", "no-session-of-that-name"], "Nothing is stored of a session"),
    ],
)
def test_who_is_not_there_is_told_in_one_sentence(server, orchestrator, arguments, words):
    assert_refused(erase(server, *arguments), words)


def test_the_name_has_to_be_typed_again(server, said):
    user, session, _ = said
    assert_refused(erase(server, user), "nothing was erased")
    done = run_command("erase_owner", user, typed=f"{user}x\n", **server.settings)
    assert_refused(done, "nothing was erased")
    assert found_in(server, session) > 0
    done = run_command("erase_owner", user, typed=f"{user}\n", **server.settings)
    assert done.returncode == 0, done.stderr
