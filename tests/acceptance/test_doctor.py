"""The doctor is shown set-ups that are broken for real, and names each."""

import json
import socket
import subprocess
from datetime import UTC, datetime, timedelta

import pytest

from memories.doctor.database import judge_skew
from memories.doctor.findings import State
from tests.needs import need

from .databases import make_directory
from .processes import run_command

NOW = datetime.now(UTC)
ORCHESTRATOR = "INSERT INTO orchestrators VALUES ('%s', '[]', '1', '{}', now(), now() + '%s')"


class Installation:
    """A database of its own, and a DATA_DIR, that a test breaks."""

    def __init__(self, server, name, data_dir):
        self._server, self.name = server, name
        self.settings = {
            "DATABASE_URL": server.url(name),
            "DATA_DIR": data_dir,
            "ORCHESTRATOR_ENDPOINTS": "tcp://127.0.0.1:0",
        }

    def sql(self, statement, *params):
        return self._server.rows(statement, *params, database=self.name)

    def examine(self, **settings):
        """The exit code, and what is not well, as (check, state): sentence and advice."""
        done = run_command("doctor", "--json", **{**self.settings, **settings})
        assert "Traceback" not in done.stderr, done.stderr
        told = json.loads(done.stdout)
        bad = [each for each in told["findings"] if each["state"] != "well"]
        assert all(each["text"].endswith(".") and each["advice"] for each in bad), bad
        found = {(each["check"], each["state"]): f"{each['text']} {each['advice']}" for each in bad}
        return done.returncode, found


@pytest.fixture(scope="module")
def template(server):
    """As after the first start of an orchestrator that embeds nothing."""
    server.rows("CREATE DATABASE doctored", database="postgres")
    done = run_command("migrate", "--verbosity=0", DATABASE_URL=server.url("doctored"))
    assert done.returncode == 0, done.stderr
    yield "doctored"
    server.rows("DROP DATABASE doctored WITH (FORCE)", database="postgres")


@pytest.fixture
def installation(server, template, tmp_path):
    server.rows(f"CREATE DATABASE patient TEMPLATE {template}", database="postgres")
    yield Installation(server, "patient", tmp_path)
    server.rows("DROP DATABASE patient WITH (FORCE)", database="postgres")


@pytest.fixture
def examine(installation):
    return installation.examine


def test_all_is_well_while_an_orchestrator_runs_and_a_backup_was_made(installation, start):
    settings = installation.settings
    running = start("--bind", "tcp://127.0.0.1:0", **settings)
    assert run_command("backup", **settings).returncode == 0
    settings["ORCHESTRATOR_ENDPOINTS"] = running.endpoint
    assert installation.examine() == (0, {})
    shown = run_command("doctor", **settings).stdout
    assert f"endpoints: An orchestrator answers at {running.endpoint}." in shown
    assert "0 to look at, 0 broken" in shown


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("postgresql://memories:x@127.0.0.1:1/memories", "refused"),
        ("postgresql://memories:x@no-such-host.invalid/memories", "no-such-host.invalid"),
    ],
)
def test_a_wrong_database_url_and_the_rest_is_still_looked_at(examine, url, told):
    code, found = examine(DATABASE_URL=url, ORCHESTRATOR_ENDPOINTS="tcp://192.0.2.1:5570")
    assert code == 1
    assert told in found["database", "broken"]
    assert "192.0.2.1" in found["endpoints", "broken"]
    assert "First mend" in found["migrations", "warning"]
    assert "First mend" in found["backups", "warning"]


def test_a_wrong_password(server, examine):
    url = server.url("patient").replace(server.address.password, "wrong")
    assert "password" in examine(DATABASE_URL=url)[1]["database", "broken"]


def test_migrations_that_are_not_applied(server, examine):
    server.rows("CREATE DATABASE unmigrated", database="postgres")
    code, found = examine(DATABASE_URL=server.url("unmigrated"))
    assert code == 1
    assert "manage.py migrate" in found["migrations", "broken"]
    assert "vector" in found["extension", "broken"]


def test_tables_of_a_newer_version(installation):
    installation.sql("INSERT INTO django_migrations VALUES (9999, 'memories', '9999_new', now())")
    assert "9999_new" in installation.examine()[1]["migrations", "broken"]


def test_an_extension_that_was_dropped(installation):
    installation.sql("DROP EXTENSION vector CASCADE")
    assert "pgvector" in installation.examine()[1]["extension", "broken"]


def test_another_encoding(server, examine):
    server.rows(
        "CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'"
        " LOCALE_PROVIDER libc",
        database="postgres",
    )
    assert "LATIN1" in examine(DATABASE_URL=server.url("latin"))[1]["database", "broken"]


def test_commits_that_do_not_wait_for_the_disk(installation):
    installation.sql("ALTER DATABASE patient SET synchronous_commit = off")
    code, found = installation.examine()
    assert code == 2
    assert "synchronous_commit" in found["durability", "warning"]


def test_a_server_that_never_waits_for_the_disk(own_server, examine):
    own_server.rows("ALTER SYSTEM SET fsync = off")
    own_server.restart("fast")
    try:
        found = examine(DATABASE_URL=own_server.settings["DATABASE_URL"])[1]
    finally:
        own_server.rows("ALTER SYSTEM RESET fsync")
        own_server.restart("fast")
    assert "fsync" in found["durability", "warning"]


def test_an_index_whose_build_failed_and_one_that_is_gone(installation):
    for name in ("one", "two"):
        installation.sql(ORCHESTRATOR % (name, "0"))
    with pytest.raises(Exception, match="could not create unique index"):
        installation.sql("CREATE UNIQUE INDEX CONCURRENTLY half_made ON orchestrators (version)")
    assert "half_made" in installation.examine()[1]["indexes", "broken"]
    installation.sql("DROP INDEX half_made")
    installation.sql("DROP INDEX request_keys_oldest")
    assert "request_keys_oldest" in installation.examine()[1]["indexes", "broken"]


def test_a_disk_that_is_full(examine):
    folder = make_directory()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder]
    mounted = subprocess.run(mount, capture_output=True, check=False).returncode == 0
    need(mounted, "REQUIRE_MOUNT", "No disk can be mounted here.")
    try:
        assert "1.0 MB free" in examine(DATA_DIR=folder)[1]["disks", "broken"]
        with pytest.raises(OSError, match="No space left"), (folder / "big").open("wb") as big:
            big.write(bytes(2 << 20))
        assert "No space left" in examine(DATA_DIR=folder)[1]["disks", "broken"]
    finally:
        subprocess.run(["umount", folder], check=True)
        folder.rmdir()


def test_a_folder_that_takes_no_file(examine, tmp_path):
    (tmp_path / "file").touch()
    found = examine(BACKUP_DIR=tmp_path / "file", BACKUP_SCHEDULE="15 3 * * *")[1]
    assert "BACKUP_DIR" in found["disks", "broken"]


def test_keys_that_others_can_read_and_keys_that_are_gone(examine, tmp_path):
    secret = tmp_path / "secret_key"
    secret.write_text("open")
    secret.chmod(0o644)
    code, found = examine(BACKUP_KEY_FILE=tmp_path / "gone.key")
    assert code == 1
    assert f"chmod 600 {secret}" in found["keys", "warning"]
    assert "gone.key" in found["keys", "broken"]
    named = tmp_path / "named"
    named.write_text("open")
    named.chmod(0o644)
    told = examine(SECRET_KEY_FILE=named)[1]["keys", "warning"]
    assert f"chmod 600 {named}" in told
    secret.chmod(0o600)
    secret.write_text("")
    assert "is empty" in examine()[1]["keys", "broken"]


def test_ports_that_something_else_holds(examine):
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"127.0.0.1:{other.getsockname()[1]}"
        found = examine(ORCHESTRATOR_ENDPOINTS=f"tcp://{address}")[1]
        assert f"tcp://{address} is taken" in found["endpoints", "broken"]
        found = examine(METRICS_BIND=address)[1]
        assert "METRICS_BIND" in found["endpoints", "broken"]


@pytest.mark.parametrize("address", ["192.0.2.1:9570", "no-such-host.invalid:9570"])
def test_metrics_on_an_address_of_another_machine(examine, address):
    told = examine(METRICS_BIND=address)[1]["endpoints", "broken"]
    assert f"The metrics cannot be served at {address}: " in told


def test_an_embedder_that_does_not_load(examine):
    told = examine(EMBEDDER="openai", OPENAI_BASE_URL="")[1]["embedder", "broken"]
    assert "needs a base URL" in told


def test_a_file_that_cannot_even_be_looked_for(examine, tmp_path):
    found = examine(DATA_DIR=tmp_path / ("x" * 300))[1]
    assert "File name too long" in found["disks", "broken"]
    assert "File name too long" in found["keys", "broken"]


def test_settings_that_weaken_and_settings_that_cannot_be_right(examine):
    code, found = examine(REQUEST_KEY_DAYS="1")
    assert (code, "REQUEST_KEY_DAYS" in found["settings", "warning"]) == (2, True)
    code, found = examine(ORCHESTRATOR_ENDPOINTS="kitchen")
    assert (code, "kitchen" in found["settings", "broken"]) == (1, True)
    done = run_command("doctor", LANE_CAPACITY="lots")
    assert done.returncode == 1
    assert done.stderr.startswith("LANE_CAPACITY is 'lots'")


def test_backups_that_are_old_gone_failed_or_never_made(installation, tmp_path):
    kept = tmp_path / "kept.dump"
    kept.touch()
    row = "INSERT INTO backups (kind, made_at, host, path, size_bytes, is_encrypted, error)"
    assert "No good backup" in installation.examine()[1]["backups", "warning"]
    values = f"{row} VALUES ('dump', %s, %s, %s, 1, false, %s)"
    installation.sql(values, NOW - timedelta(days=5), socket.gethostname(), str(kept), "")
    assert "5 days old" in installation.examine()[1]["backups", "warning"]
    kept.unlink()
    assert "is gone" in installation.examine()[1]["backups", "broken"]
    installation.sql(values, NOW - timedelta(days=1), "attic", "", "The disk is full.")
    assert "The disk is full." in installation.examine()[1]["backups", "warning"]


def test_memories_that_could_not_be_embedded_and_vectors_that_are_late(installation):
    task = """
        INSERT INTO embedding_tasks
            (owner_id, memory_id, model_id, due_at, queued_at, attempts, error)
        VALUES (gen_random_uuid(), 'mem-none', 1, now() - interval '1 hour',
            now() - interval '1 hour', %s, 'It failed.')"""
    installation.sql(task, 5)
    assert "set aside" in installation.examine()[1]["embeddings", "warning"]
    installation.sql("DELETE FROM embedding_tasks")
    installation.sql(task, 0)
    assert "s late" in installation.examine()[1]["embeddings", "warning"]


def test_orchestrators_that_fell_silent_or_have_another_time(installation):
    installation.sql(ORCHESTRATOR % ("kitchen", "-1 hour"))
    assert "kitchen fell silent" in installation.examine()[1]["orchestrators", "warning"]
    installation.sql("DELETE FROM orchestrators")
    installation.sql(ORCHESTRATOR % ("attic", "0"))
    installation.sql("UPDATE orchestrators SET stats = '{\"clock_skew_seconds\": 3600.1}'")
    told = installation.examine()[1]["orchestrators", "warning"]
    assert "3600.1 s ahead of that of attic" in told


@pytest.mark.parametrize(
    ("seconds", "state"),
    [(0.1, State.WELL), (-1.9, State.WELL), (-3, State.WARNING), (61, State.BROKEN)],
)
def test_clocks_that_differ(seconds, state):
    assert judge_skew(seconds).state is state
