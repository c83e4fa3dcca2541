"""Backups by the commands themselves, against an embedded server of these tests' own."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import uuid
from datetime import timedelta
from pathlib import Path

import msgspec
import psycopg
import pyrage
import pytest
from django.core.management import load_command_class
from psycopg.conninfo import conninfo_to_dict

from memories.backups.checking import check_file
from memories.backups.dumping import make_backup
from memories.backups.errors import BackupError
from memories.backups.keeping import Keep, remove_older
from memories.backups.manifest import encode_manifest, read_manifest
from memories.backups.restoring import identities_for
from memories.backups.server import Server, find_program
from tests.acceptance.databases import EmbeddedServer
from tests.acceptance.processes import REPOSITORY, environment, run_command, wait_until

MEMORY = """
INSERT INTO memory_entries (owner_id, id, memory_type, content, content_bytes, text, speaker, tags,
    search, words, source_agent, created_by, priority, version, content_version, created_at,
    updated_at, session_id)
SELECT gen_random_uuid(), 'memory-' || n, 'fact', '{}', 2, text, '', '{}',
    to_tsvector('english', text), 3, '', '', 5, 1, 1, now(), now(), 's'
FROM (SELECT n, 'zebra''s garden\\' || md5(n::text) || ' ünïcode' AS text
    FROM generate_series(1, %s::int) n) made"""


VECTORS = """
WITH model AS (
    INSERT INTO embedding_models (name, kind, dimension, state, created_at)
    VALUES ('m', 'given', 3, 'active', now()) RETURNING id)
INSERT INTO embeddings (owner_id, memory_id, model_id, version, embedding)
SELECT m.owner_id, m.id, model.id, 1, array[m.words, length(m.text), 1]::vector
FROM memory_entries m, model"""


@pytest.fixture(scope="module")
def server():
    embedded = EmbeddedServer()
    done = run_command("migrate", "-v0", **embedded.settings)
    assert done.returncode == 0, done.stderr
    embedded.rows(MEMORY, 300)
    embedded.rows(VECTORS)
    yield embedded
    embedded.remove()


@pytest.fixture(scope="module")
def good(server, tmp_path_factory):
    """A backup that tests copy before they spoil it."""
    return back_up(server, tmp_path_factory.mktemp("good"))


@pytest.fixture
def copied(good, tmp_path):
    for path in (good, manifest_of(good)):
        shutil.copy(path, tmp_path)
    return tmp_path / good.name


@pytest.fixture
def other(server):
    """The name of a database that does not exist yet, and is gone afterwards."""
    name = f"other_{uuid.uuid4().hex[:8]}"
    yield name
    server.rows(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)", database="postgres")


def manifest_of(path):
    return path.with_name(f"{path.name}.json")


def back_up(server, folder, *options, **settings):
    done = run_command("backup", "--to", str(folder), *options, **(server.settings | settings))
    assert done.returncode == 0, done.stderr
    return Path(done.stdout.splitlines()[0])


def databases(server):
    rows = server.rows("SELECT datname FROM pg_database", database="postgres")
    return {name for (name,) in rows}


def assert_refused(done, *words):
    """One sentence, no traceback, and an exit code that a script sees."""
    assert done.returncode != 0
    sentence = done.stderr.strip()
    assert "Traceback" not in sentence
    assert len(sentence.splitlines()) == 1, sentence
    for word in words:
        assert word in sentence


def test_a_backup_tells_what_it_holds_and_restores(server, good):
    manifest = json.loads(manifest_of(good).read_text())
    assert manifest["content"]["public.memory_entries"]["rows"] == 300
    assert manifest["content"]["public.embeddings"]["rows"] == 300
    assert manifest["size_bytes"] == good.stat().st_size
    assert manifest["newest_migration"] in {name.split(".")[1] for name in manifest["migrations"]}
    assert {path.stat().st_mode & 0o077 for path in good.parent.iterdir()} == {0}
    before = databases(server)
    done = run_command("verify_backup", str(good), **server.settings)
    assert done.returncode == 0, done.stderr
    assert "5 searches" in done.stdout
    assert databases(server) == before


def test_what_the_disk_gives_back_otherwise_gets_no_name(server, tmp_path):
    parameters = conninfo_to_dict(server.address.dsn("memories"))
    database = parameters.pop("dbname")

    def spoil(size_bytes):
        [partial] = tmp_path.glob(".memories-*.partial")
        with partial.open("r+b") as file:
            file.write(b"x")

    with pytest.raises(BackupError, match="reads otherwise than it was written"):
        make_backup(Server(database, parameters), tmp_path, [], spoil)
    assert list(tmp_path.iterdir()) == []


def copy_as_of(good, folder, hours_before):
    """A whole backup of the same database, made so much earlier."""
    manifest = read_manifest(good)
    made_at = manifest.made_at - timedelta(hours=hours_before)
    path = folder / f"memories-{hours_before}.dump"
    shutil.copy(good, path)
    earlier = msgspec.structs.replace(manifest, made_at=made_at)
    manifest_of(path).write_bytes(encode_manifest(earlier))
    return path


def test_older_backups_go_when_no_rule_keeps_them(server, tmp_path, good):
    kept, gone = (copy_as_of(good, tmp_path, hours) for hours in (1, 2))
    (tmp_path / "memories-notes.json").write_text("{}")
    shutil.copy(good, tmp_path / "memories-without-manifest.dump")
    newest = back_up(server, tmp_path, "--keep-count", "2", "--keep-days", "0.000001")
    assert not gone.exists() and not manifest_of(gone).exists()
    whole = [path for one in (newest, kept) for path in (one, manifest_of(one))]
    assert {path.name for path in tmp_path.iterdir()} == {
        *(path.name for path in whole),
        "memories-notes.json",
        "memories-without-manifest.dump",
    }


@pytest.mark.parametrize(
    ("keep", "hours_kept"),
    [
        (Keep(), [0, 5, 30]),
        (Keep(count=1), [0]),
        (Keep(count=2), [0, 5]),
        (Keep(days=1), [0, 5]),
        (Keep(count=1, days=1), [0, 5]),
        (Keep(count=3, days=0.1), [0, 5, 30]),
    ],
)
def test_what_either_rule_keeps_stays(good, tmp_path, keep, hours_kept):
    made = {hours: copy_as_of(good, tmp_path, hours) for hours in (0, 5, 30)}
    remove_older(tmp_path, made[0], keep)
    assert [hours for hours, path in made.items() if path.exists()] == hours_kept


def cut_in_the_middle(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip_a_byte(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def change_a_count(path):
    manifest = manifest_of(path)
    manifest.write_text(manifest.read_text().replace('"rows": 300', '"rows": 301'))


def come_from_the_future(path):
    manifest = read_manifest(path)
    manifest.migrations.append("memories.9999_flying")
    manifest_of(path).write_bytes(encode_manifest(manifest))


SPOILT = {
    "cut": (cut_in_the_middle, "cut short"),
    "flipped": (flip_a_byte, "damaged"),
    "empty": (lambda path: path.write_bytes(b""), "0 bytes"),
    "gone": (lambda path: path.unlink(), "There is no backup"),
    "manifest gone": (lambda path: manifest_of(path).unlink(), "no manifest"),
    "manifest cut": (lambda path: cut_in_the_middle(manifest_of(path)), "manifest"),
    "manifest changed": (change_a_count, "manifest"),
}


@pytest.mark.parametrize("kind", SPOILT)
def test_a_spoilt_backup_is_told_from_a_whole_one(copied, kind):
    check_file(copied)
    spoil, words = SPOILT[kind]
    spoil(copied)
    with pytest.raises(BackupError, match=words):
        check_file(copied)


def test_a_restore_refuses_what_is_spoilt_or_newer(server, copied):
    come_from_the_future(copied)
    done = run_command("restore", "--replace", str(copied), **server.settings)
    assert_refused(done, "newer version", "9999_flying")
    cut_in_the_middle(copied)
    done = run_command("restore", "--replace", str(copied), **server.settings)
    assert_refused(done, "cut short")
    assert server.rows("SELECT count(*) FROM memory_entries") == [(300,)]


def test_a_dump_that_is_not_the_manifests_is_noticed_and_dropped(server, copied):
    """Hashes in order, content not: only the comparison after the restore can know."""
    manifest = read_manifest(copied)
    table = manifest.content["public.memory_entries"]
    manifest.content["public.memory_entries"] = msgspec.structs.replace(table, checksum="1")
    manifest_of(copied).write_bytes(encode_manifest(manifest))
    before = databases(server)
    done = run_command("verify_backup", str(copied), **server.settings)
    assert_refused(done, "public.memory_entries has other content")
    assert databases(server) == before


def test_an_empty_database_is_restored_into_and_a_used_one_only_when_told(server, good, other):
    settings = server.settings | {"DATABASE_URL": server.url(other)}
    done = run_command("restore", str(good), **settings)
    assert done.returncode == 0, done.stderr
    ids = "SELECT id, text FROM memory_entries ORDER BY id"
    assert server.rows(ids, database=other) == server.rows(ids)
    server.rows("TRUNCATE memory_entries CASCADE", database=other)
    assert_refused(run_command("restore", str(good), **settings), "not empty", "--replace")
    assert server.rows("SELECT count(*) FROM memory_entries", database=other) == [(0,)]
    before = databases(server)
    with server.connect(other) as somebody:
        done = run_command("restore", "--replace", str(good), **settings)
        assert done.returncode == 0, done.stderr
        with pytest.raises(psycopg.OperationalError):
            somebody.execute("SELECT 1")
    assert server.rows(ids, database=other) == server.rows(ids)
    assert databases(server) == before


def test_a_restore_is_refused_while_an_orchestrator_runs(server, good):
    server.rows(
        "INSERT INTO orchestrators VALUES ('alive', '[]', '1', '{}', now(), now() + '1 hour')"
    )
    try:
        done = run_command("restore", "--replace", str(good), **server.settings)
        assert_refused(done, "alive still runs")
    finally:
        server.rows("DELETE FROM orchestrators")


def test_an_encrypted_backup_opens_with_its_key_alone(server, tmp_path):
    keys = [pyrage.x25519.Identity.generate() for _ in range(2)]
    right, wrong, public = (tmp_path / name for name in ("right", "wrong", "public"))
    right.write_text(f"# a key\n{keys[0]}\n")
    wrong.write_text(f"{keys[1]}\n")
    public.write_text(f"{keys[0].to_public()}\n")
    path = back_up(server, tmp_path / "sealed", "--key-file", str(public))
    assert b"PGDMP" not in path.read_bytes()
    before = databases(server)

    def verify(*options):
        return run_command("verify_backup", str(path), *options, **server.settings)

    assert_refused(verify("--key-file", str(wrong)), "does not open")
    manifest = read_manifest(path)
    for key_file, words in [(None, "--key-file"), (public, "no secret"), (path, "no key file")]:
        with pytest.raises(BackupError, match=words):
            identities_for(manifest, key_file)
    done = verify("--key-file", str(right))
    assert done.returncode == 0, done.stderr
    assert databases(server) == before


@pytest.fixture
def tiny_disk(tmp_path):
    folder = tmp_path / "tiny"
    folder.mkdir()
    mounting = ["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mounting, capture_output=True).returncode != 0:
        pytest.skip("a small disk can be mounted by root alone")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_leaves_nothing_behind(server, tiny_disk, tmp_path):
    key = tmp_path / "key"
    key.write_text(str(pyrage.x25519.Identity.generate()))
    for options in ([], ["--key-file", str(key)]):
        done = run_command("backup", "--to", str(tiny_disk), *options, **server.settings)
        assert_refused(done, "No space left")
        assert list(tiny_disk.iterdir()) == []


class Held:
    """A command that stands still, since a table that it has to read or make is locked."""

    def __init__(self, server, *arguments):
        self.process = subprocess.Popen(
            [sys.executable, "manage.py", *arguments],
            cwd=REPOSITORY,
            env=environment(**server.settings),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def end(self):
        try:
            _, errors = self.process.communicate(timeout=30)
        except subprocess.TimeoutExpired:
            self.process.kill()  # or it would be in the way of the next test
            self.process.communicate()
            raise
        return subprocess.CompletedProcess([], self.process.returncode, "", errors)


WAITING = "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = 'memories'"


# SIGTERM: tests/acceptance/test_scheduled_backups.py
@pytest.mark.parametrize("what", ["interrupted", "database away"])
def test_a_backup_that_is_stopped_leaves_nothing_behind(server, tmp_path, what):
    with server.connect() as holder:
        holder.execute("BEGIN; LOCK TABLE memory_entries")
        held = Held(server, "backup", "--to", str(tmp_path))
        wait_until(lambda: server.rows(WAITING))
        if what == "database away":
            [(pid,)] = server.rows(WAITING)
            server.rows("SELECT pg_terminate_backend(%s)", pid)
        else:
            held.process.send_signal(signal.SIGINT)
        done = held.end()
    assert_refused(done, "terminating" if what == "database away" else "Stopped")
    assert list(tmp_path.iterdir()) == []


def scratches(server):
    return {name for name in databases(server) if name.startswith("memories_scratch_")}


def test_a_verification_that_ends_early_leaves_no_database(server, good):
    """Even one that is killed: the next one tidies up after it."""
    interrupted = Held(server, "verify_backup", str(good))
    wait_until(lambda: scratches(server))
    interrupted.process.send_signal(signal.SIGINT)
    assert_refused(interrupted.end(), "Stopped")
    assert scratches(server) == set()
    killed = Held(server, "verify_backup", str(good))
    wait_until(lambda: scratches(server))
    killed.process.kill()
    killed.end()
    left = scratches(server)
    assert left
    wait_until(lambda: not server.rows("SELECT FROM pg_locks WHERE locktype = 'advisory'"))
    done = run_command("verify_backup", str(good), **server.settings)
    assert done.returncode == 0, done.stderr
    assert scratches(server) == set()


def test_a_server_newer_than_every_pg_dump_is_told_of():
    with pytest.raises(BackupError, match=r"PostgreSQL 99, and there is no pg_dump"):
        find_program("pg_dump", 99, wants_ssl=False)


def test_the_page_names_commands_and_options_that_there_are():
    page = (REPOSITORY / "docs" / "backups.md").read_text()
    for command in ("backup", "verify_backup", "restore"):
        told = set(re.findall(rf"manage\.py {command}\b([^\n]*)", page))
        options = {option for line in told for option in re.findall(r"--[\w-]+", line)}
        known = load_command_class("memories", command).create_parser("", "").format_help()
        assert told and all(option in known for option in options)
