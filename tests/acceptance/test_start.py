import shutil

import pytest

from .processes import REPOSITORY, run_command, wait_until
from .wire import create, new_name, read


def sentence_of(result):
    """What a start that failed says, apart from its log."""
    assert result.returncode not in (0, None)
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    said = [line for line in result.stderr.splitlines() if not line[:4].isdigit()]
    assert len(said) == 1, result.stderr
    return said[0]


def start_in_vain(server, endpoint="tcp://127.0.0.1:0", **settings):
    arguments = ("run_orchestrator", "--bind", endpoint)
    return sentence_of(run_command(*arguments, **{**server.settings, **settings}))


def test_every_endpoint_is_named_as_it_is_and_serves(start, connect, tmp_path):
    path = tmp_path / "sockets" / "memories"
    orchestrator = start("--bind", "tcp://127.0.0.1:0", "--bind", f"ipc://{path}")
    tcp, ipc = orchestrator.endpoints
    assert tcp.startswith("tcp://127.0.0.1:")
    assert not tcp.endswith(":0")
    assert ipc == f"ipc://{path}"
    made = connect(tcp).data(create(new_name("s"), "over tcp"))
    assert connect(ipc).data(read(made["memory_id"]))["content"] == {"text": "over tcp"}


def test_endpoints_come_from_the_settings_without_bind(server, start, connect):
    endpoints = ["tcp://127.0.0.1:*", "tcp://127.0.0.1:0"]
    orchestrator = start("--no-migrate", ORCHESTRATOR_ENDPOINTS=",".join(endpoints))
    assert [connect(endpoint).ping() for endpoint in orchestrator.endpoints] == ["ok", "ok"]


def test_a_port_in_use_stops_the_start(server, orchestrator):
    assert orchestrator.endpoint in start_in_vain(server, orchestrator.endpoint)


@pytest.mark.parametrize("endpoint", ["tcp://nowhere", "carrier://pigeon", "kitchen"])
def test_a_wrong_endpoint_stops_the_start(server, endpoint):
    assert endpoint in start_in_vain(server, endpoint)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("postgresql://memories:x@127.0.0.1:1/memories", "refused"),
        ("postgresql://memories:x@/memories?host=/no/such/place", "/no/such/place"),
    ],
)
def test_an_absent_database_is_waited_for_and_then_named(server, url, why):
    said = start_in_vain(server, DATABASE_URL=url, DATABASE_WAIT_SECONDS=0.5)
    assert "DATABASE_WAIT_SECONDS" in said
    assert why in said


def test_a_wrong_password_is_named(server):
    url = server.url().replace(server.address.password, "wrong")
    said = start_in_vain(server, DATABASE_URL=url, DATABASE_WAIT_SECONDS=0.5)
    assert "password authentication failed" in said


def test_a_database_that_comes_up_late_is_waited_for(own_server, start_on_own, connect):
    own_server.stop()
    try:
        late = start_on_own(ready=False, DATABASE_WAIT_SECONDS=30)
        wait_until(lambda: "Waiting for the database" in late.errors())
    finally:
        own_server.start()
    assert connect(late.wait_ready()).ping() == "ok"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LANE_CAPACITY", "lots"),
        ("METRICS_BIND", "9570"),
        ("GRACE_SECONDS", "0"),
        ("DATABASE_URL", "mysql://memories@127.0.0.1/memories"),
        ("DATABASE_URL", "nonsense"),
        ("BACKUP_DIR", "~nosuchuser/backups"),
        ("ARCHIVE_DIR", "~nosuchuser/archive"),
        ("DATA_DIR", "~nosuchuser/memories"),
    ],
)
def test_a_value_that_cannot_be_right_stops_the_start(server, name, value):
    assert name in start_in_vain(server, **{name: value})


@pytest.mark.parametrize("secret_key", ["", "given"])
def test_a_data_dir_that_cannot_be_made_stops_the_start(server, secret_key, tmp_path):
    (tmp_path / "file").touch()
    folder = tmp_path / "file" / "memories"
    said = start_in_vain(server, DATA_DIR=folder, SECRET_KEY=secret_key)
    assert str(folder) in said


@pytest.fixture
def release(tmp_path):
    """The program in a folder of its own, so that it can have a .env of its own."""
    shutil.copy(REPOSITORY / "manage.py", tmp_path)
    shutil.copytree(REPOSITORY / "memoryproject", tmp_path / "memoryproject")
    for package in ("memories", "zmqbridge"):
        (tmp_path / package).symlink_to(REPOSITORY / package)
    return tmp_path


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"LOG_LEVEL=INFO\nDATABASE_URL\n", "Line 2 of"),
        (b"DATABASE_URL : postgresql://memories@127.0.0.1/memories\n", "Line 1 of"),
        (b"DATABASE_URL=postgresql://m\xe4dchen@127.0.0.1/memories\n", "is not UTF-8"),
        ("directory", "Is a directory"),
        ("link", "a link to a file that is not there"),
    ],
)
def test_a_file_of_settings_that_is_half_written_stops_the_start(server, release, content, why):
    """Else DATABASE_URL would be unset, and memories go into a new database."""
    file = release / ".env"
    if content == "directory":
        file.mkdir()
    elif content == "link":
        file.symlink_to(release / "gone.env")
    else:
        file.write_bytes(content)
    said = sentence_of(run_command("check", repository=release, **server.settings))
    assert str(file) in said
    assert why in said


def test_a_file_of_settings_may_have_comments_and_quotes(server, release):
    text = "\ufeff# ours\n\n  # indented\nexport LANE_CAPACITY='lots'\n"
    (release / ".env").write_text(text)
    said = sentence_of(run_command("check", repository=release, **server.settings))
    assert said.startswith("LANE_CAPACITY is 'lots'")


def test_a_language_that_postgresql_does_not_know_stops_the_start(server):
    assert "SEARCH_LANGUAGE" in start_in_vain(server, SEARCH_LANGUAGE="klingon")


def test_tables_that_are_missing_are_named_without_migrations(server):
    server.rows("CREATE DATABASE untouched", database="postgres")
    arguments = ("run_orchestrator", "--no-migrate", "--bind", "tcp://127.0.0.1:0")
    settings = {**server.settings, "DATABASE_URL": server.url("untouched")}
    assert "manage.py migrate" in sentence_of(run_command(*arguments, **settings))


def test_tables_of_a_newer_version_are_served_with_a_warning(server, start):
    server.rows("CREATE DATABASE newer", database="postgres")
    settings = {**server.settings, "DATABASE_URL": server.url("newer")}
    prepared = run_command("prepare_database", **settings)
    assert prepared.returncode == 0, prepared.stderr
    assert "newer version" not in prepared.stderr
    server.rows(
        "INSERT INTO django_migrations VALUES (9999, 'memories', '9999_new', now())",
        database="newer",
    )
    served = start(**settings)
    assert "The tables are of a newer version: this one does not know 9999_new" in served.errors()


def test_a_database_of_another_encoding_is_refused(server):
    server.rows(
        "CREATE DATABASE ascii TEMPLATE template0 ENCODING 'SQL_ASCII' LOCALE 'C'"
        " LOCALE_PROVIDER libc",
        database="postgres",
    )
    assert "SQL_ASCII" in start_in_vain(server, DATABASE_URL=server.url("ascii"))
