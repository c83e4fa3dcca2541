"""An orchestrator whose machine has another time than the database."""

import platform
from importlib.util import find_spec
from pathlib import Path

import pytest

from .processes import wait_until
from .wire import create, new_name, read, request

pytestmark = pytest.mark.skipif(
    platform.machine() != "x86_64", reason="libfaketime's wheel is for x86-64"
)


@pytest.fixture
def start_an_hour_behind(start):
    library = Path(find_spec("libfaketime").origin).parent / "vendor/libfaketime/src"
    faked = {"FAKETIME": "-1h", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
    return lambda **settings: start(LD_PRELOAD=library / "libfaketime.so.1", **faked, **settings)


def test_an_orchestrator_an_hour_behind_is_alive_and_says_so(start_an_hour_behind, server, connect):
    orchestrator = start_an_hour_behind()
    peer = connect(orchestrator)
    memory_id = peer.data(create(new_name("s"), "text", ttl=600))["memory_id"]
    assert peer.data(read(memory_id))["content"] == {"text": "text"}
    told = peer.data(request("stats", {}, new_name("s")))
    assert 3590 < told["clock_skew_seconds"] < 3610

    def row():
        [row] = server.rows(
            """
            SELECT seen_at > now() - interval '10 seconds', stopped_at IS NULL
            FROM orchestrators WHERE instance = %s""",
            told["instance"],
        )
        return row

    assert row() == (True, True)
    ping = peer.ask(request("ping"))
    assert ping["status"] == "degraded"
    assert (
        "s ahead of this machine's: memories expire at the wrong time"
        in (ping["problems"]["clock"])
    )
    wait_until(lambda: orchestrator.errors().count("time service") == 1)
    assert orchestrator.stop()[0] == 0
    assert row() == (True, False)
    assert orchestrator.errors().count("time service") == 1
