"""The whole product as `make run` starts it, with a database that holds a household's talk."""

import json
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta

from tests.acceptance.databases import EmbeddedServer
from tests.acceptance.processes import REPOSITORY, environment, run_command, wait_until
from zmqbridge.client import Client, NewMemory

PASSWORD = "correct horse battery staple"
TURNS = REPOSITORY / "docs" / "examples" / "household.jsonl"
STOP_SECONDS = 30
_MAKE_ACCOUNTS = f"""
from django.contrib.auth.models import Group, User
User.objects.create_superuser("root", password={PASSWORD!r})
for group in Group.objects.all():
    user = User.objects.create_user(group.name, password={PASSWORD!r}, is_staff=True)
    user.groups.add(group)
"""


class Household:
    """deploy/run.py on an embedded server of its own. `url`: of the admin. There is an account for
    each group, of the group's name, and the superuser `root`; all have PASSWORD."""

    def __init__(self, log):
        self._log = log
        self.server = EmbeddedServer()
        settings = {**self.server.settings, "ORCHESTRATOR_ENDPOINTS": "tcp://127.0.0.1:0"}
        self._settings = settings
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                [sys.executable, "deploy/run.py", "--admin", "127.0.0.1:0"],
                cwd=REPOSITORY,
                env=environment(**settings),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.endpoint = self._printed(r"orchestrator listens on (\S+)\.")
        self.url = self._printed(r"admin listens on (\S+)\.\n")
        self.run("shell", "--verbosity=0", "--command", _MAKE_ACCOUNTS)
        self._fill()

    def client(self, session_id):
        return Client(self.endpoint, session_id=session_id, timeout_seconds=30)

    def run(self, *command):
        """A command of manage.py."""
        ran = run_command(*command, **self._settings)
        assert ran.returncode == 0, ran.stderr

    def rows(self, sql, *params):
        return self.server.rows(sql, *params)

    def close(self):
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        finally:
            self._process.kill()
            self.server.remove()

    def printed(self):
        return self._log.read_text(errors="replace")

    def _printed(self, pattern):
        def found():
            assert self._process.poll() is None, self.printed()
            return re.search(pattern, self.printed())

        return wait_until(found, 90)[1]

    def _fill(self):
        """The turns of docs/examples, as if the last had been said an hour ago."""
        turns = [json.loads(line) for line in TURNS.read_text().splitlines()]
        last = datetime.fromisoformat(max(turn["time"] for turn in turns))
        shift = datetime.now(UTC) - timedelta(hours=1) - last
        sessions = {}
        for turn in turns:
            sessions.setdefault((turn["session"], turn.get("user", "")), []).append(turn)
        for (session_id, user_id), said in sessions.items():
            with self.client(session_id) as client:
                client.create_session(user_id)
                client.batch_create([_memory(turn, shift) for turn in said])


def _memory(turn, shift):
    said_at = datetime.fromisoformat(turn["time"]) + shift
    return NewMemory(
        content={"text": turn["text"], "role": turn["role"]},
        created_at=said_at,
        tags=["household", turn["role"]],
    )
