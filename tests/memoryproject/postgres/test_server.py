"""What the server is like: durable, closed to others, tuned, and open to the user's settings."""

import stat

import psycopg
import pytest

from memoryproject.postgres.launch import ServerAddress

from .cluster_tools import run_python


def show(client, setting):
    return client.ask(f"sql SHOW {setting}")[0][0]


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_new_cluster_is_durable_and_closed_to_others(empty_place):
    client = empty_place.connect()
    layout = empty_place.layout
    assert show(client, "data_checksums") == "on"
    assert (show(client, "fsync"), show(client, "synchronous_commit")) == ("on", "on")
    assert show(client, "listen_addresses") == ""
    assert show(client, "TimeZone") == "UTC"
    collation = "sql SELECT datlocprovider, datlocale FROM pg_database WHERE datname = 'postgres'"
    assert client.ask(collation) == [["b", "C.UTF-8"]]
    assert (mode(layout.cluster), mode(layout.run), mode(layout.password)) == (0o700, 0o700, 0o600)
    assert mode(layout.socket_dir / ".s.PGSQL.5432") == 0o700
    assert client.ask("sql CREATE EXTENSION vector") is None
    vectors = [f"array_fill({number}, '{{768}}')::vector" for number in (1, 2)]
    distance = client.ask(f"sql SELECT {vectors[0]} <-> {vectors[1]}")
    assert distance[0][0] == pytest.approx(768**0.5)


def test_wrong_password_is_refused(place):
    host = place.connect().server["host"]
    address = ServerAddress(host, 5432, "memories", "wrong", started_ns=0)
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(address.dsn("postgres"))


def test_users_own_settings_win(place):
    (place.data_dir / "postgres.conf").write_text("work_mem = '5MB'\n")
    client = place.connect()
    assert show(client, "work_mem") == "5MB"
    assert show(client, "shared_preload_libraries") == "pg_stat_statements"


def test_bad_setting_is_told_with_the_servers_own_words(place):
    overrides = place.data_dir / "postgres.conf"
    overrides.write_text("no_such_setting = 1\n")
    script = (
        "import sys, pathlib; from memoryproject.postgres.launch import ensure_running as run\n"
    )
    result = run_python("-c", script + "run(pathlib.Path(sys.argv[1]))", str(place.data_dir))
    assert "ServerDidNotStart" in result.stderr
    assert 'unrecognized configuration parameter "no_such_setting"' in result.stderr
    overrides.unlink()
    assert place.connect().ask("sql SELECT 1") == [[1]]


def test_half_made_cluster_of_a_killed_initdb_is_made_anew(empty_place):
    empty_place.layout.new_cluster.mkdir(parents=True)
    (empty_place.layout.new_cluster / "PG_VERSION").write_text("18\n")
    assert empty_place.connect().ask("sql SELECT 1") == [[1]]
    assert not empty_place.layout.new_cluster.exists()


def test_long_path_gets_a_short_private_socket_directory(place):
    long_dir = place.data_dir.with_name("d" * 120)
    place.data_dir.rename(long_dir)
    moved = type(place)(long_dir)
    try:
        client = moved.connect()
        assert client.ask("sql SELECT 1") == [[1]]
        assert len(client.server["host"]) < 60
        assert mode(moved.layout.socket_dir) == 0o700
    finally:
        moved.kill_everything()
        for path in moved.layout.socket_dir.iterdir():
            path.unlink()
        moved.layout.socket_dir.rmdir()


def test_password_is_not_shown():
    assert "secret" not in repr(ServerAddress("/run", 5432, "memories", "secret", started_ns=0))
