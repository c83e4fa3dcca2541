"""Every version's tables, as make_fixture.py left them, are brought up to date and served."""

import subprocess

import pytest

from memoryproject.postgres.binaries import find_binaries

from .make_fixture import FIXTURES
from .processes import run_command
from .wire import create, page, read, request


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
