"""The examples in the client's docstring: they run, and their types are right."""

import doctest
import json
from datetime import UTC, datetime

from mypy import api

import zmqbridge.client
from tests.zmqbridge.scripted_router import ScriptedRouter, Shelf

TYPES = """
from typing import assert_type
from zmqbridge.client import AsyncClient, Client, Memory, SearchResults, Stored
def blocking(client: Client) -> None:
    assert_type(client.create("x", tags=["a"], session_id="s", timeout_seconds=1.0), Stored)
    assert_type(client.read("mem-1"), Memory)
    client.create(1)  # type: ignore[arg-type]
    client.create("x", tagz=[])  # type: ignore[call-arg]
async def awaiting(client: AsyncClient) -> None:
    assert_type(await client.search("x"), SearchResults)
    client.create("x")  # type: ignore[unused-coroutine]
"""


def test_the_examples_run():
    with ScriptedRouter(Shelf()) as router:
        found = doctest.testmod(zmqbridge.client, extraglobs={"endpoint": router.endpoint})
    assert found.attempted >= 6
    assert found.failed == 0


def test_the_examples_and_both_clients_are_typed(tmp_path):
    examples = tmp_path / "examples.py"
    source = doctest.script_from_examples(zmqbridge.client.__doc__)
    examples.write_text(f"endpoint: str\n{source}")
    types = tmp_path / "types_of_results.py"
    types.write_text(TYPES)
    config = tmp_path / "mypy.ini"
    config.write_text("[mypy]\nstrict = True\nfollow_imports = silent\n")
    output, errors, code = api.run(
        ["--config-file", str(config), "--cache-dir", str(tmp_path), str(examples), str(types)]
    )
    assert code == 0, output + errors


def test_the_shelf_is_one():
    """The stand-in that the examples run on keeps what it is given, once."""
    shelf, now = Shelf(), datetime.now(UTC).isoformat()
    request = {
        "action": "create",
        "request_id": "r",
        "session_id": "s",
        "timestamp": now,
        "payload": {"content": "x", "memory_type": "t"},
    }
    first, again = shelf.answer(request), shelf.answer(json.loads(json.dumps(request)))
    assert first == again
    assert len(shelf.memories) == 1
