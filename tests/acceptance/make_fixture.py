"""Writes fixtures/schema-VERSION.sql: the tables of this version with a few rows, as plain SQL.

Run it once before a release: `python -m tests.acceptance.make_fixture`. The file stays in the
repository for good, and test_upgrade.py brings each of them up to date.
"""

import os
import re
import subprocess
import tempfile
from pathlib import Path

from memoryproject import VERSION
from memoryproject.postgres.binaries import find_binaries

from .databases import EmbeddedServer
from .processes import Orchestrator
from .wire import Peer, create, delete, request, update

FIXTURES = Path(__file__).with_name("fixtures")
# Differs from one dump to the next, or is unknown to an older PostgreSQL, and says nothing.
_NOISE = re.compile(
    r"^(\\(un)?restrict .*|-- Dumped .*|SET transaction_timeout = 0;)\n", re.MULTILINE
)


def fill(peer):
    """Through the wire, so that the rows are what this version makes of them."""
    opened = peer.data(request("create_session", {"user_id": "ada"}))["session_id"]
    tea = create(opened, "The tea is in the blue tin.", tags=["kitchen", "tea"], priority=8)
    tea_id = peer.data(tea)["memory_id"]
    peer.data(update(opened, tea_id, "The tea is in the red tin."))
    gone = peer.data(create(opened, "Forget this."))["memory_id"]
    peer.data(delete(opened, gone))
    peer.data(create("own-session", "The session's id was the assistant's own.", ttl=10**9))
    sweep = {"filter": {"memory_type": "context"}}
    peer.data(create(opened, "Swept.", memory_type="context"))
    peer.data(request("bulk_delete", sweep, opened))
    milk_id = peer.data(create(opened, "The milk is in the door."))["memory_id"]
    ends = {"source_id": tea_id, "target_id": milk_id, "relationship_type": "goes with"}
    peer.data(request("relate", ends, opened))
    likes = {"user_id": "ada", "preferences": {"tea": "black"}}
    peer.data(request("update_profile", likes, opened))
    peer.data(request("set_state", {"agent_id": "cook", "state": {"step": 3}}, opened))
    # A search by meaning has what it searches embedded first.
    peer.data(request("search", {"query": "tea", "search_type": "semantic"}, opened))
    peer.data(request("end_session", {"summary": "Tea was found."}, opened))


def dump(server):
    binaries = find_binaries()
    address = server.address
    result = subprocess.run(
        [
            binaries.pg_dump,
            f"--host={address.host}",
            f"--port={address.port}",
            f"--username={address.user}",
            "--no-owner",
            "--no-privileges",
            "--inserts",
            "--exclude-table-data=orchestrators",
            "memories",
        ],
        env={**os.environ, "PGPASSWORD": address.password},
        check=True,
        capture_output=True,
        text=True,
    )
    return _NOISE.sub("", result.stdout)


def fixture_of(version):
    """Its file, which is written once: it is what that release left, for good."""
    path = FIXTURES / f"schema-{version}.sql"
    if path.exists():
        raise SystemExit(f"{path} is there: raise VERSION in memoryproject/__init__.py before.")
    return path


def main():
    path = fixture_of(VERSION)
    server = EmbeddedServer()
    try:
        with tempfile.TemporaryDirectory() as directory:
            orchestrator = Orchestrator(Path(directory) / "log", **server.settings)
            peer = Peer(orchestrator.wait_ready().endpoint)
            fill(peer)
            peer.close()
            orchestrator.stop()
            orchestrator.close()
        path.write_text(dump(server))
    finally:
        server.remove()


if __name__ == "__main__":
    main()
