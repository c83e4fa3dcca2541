"""What every scenario is given: the orchestrator under test, its database, and stored memories."""

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import psycopg

from benchmarks.driver import closed_loop
from benchmarks.serving import ROOT, Served
from benchmarks.workload import LARGE_USER, Requests, Talk
from zmqbridge.client import Client

SESSIONS = 32


@dataclass(frozen=True, slots=True)
class Known:
    """Memories that the loader has stored, and sessions of their owners."""

    memory_ids: Sequence[str]
    sessions: Sequence[str]


@dataclass
class Bench:
    """`scale`: 1 for the whole suite, less for the quick one. `echo`: the endpoint of the floor.
    `minutes`: of the steady load."""

    served: Served
    echo: str
    scale: float
    minutes: float = 10
    requests: Requests = field(default_factory=Requests)
    talk: Talk = field(default_factory=lambda: Talk(seed=7))

    def count(self, full: int) -> int:
        return max(20, round(full * self.scale))

    def load(self, rows: int, large: int) -> None:
        """Have the loader store memories of 1000 owners, and `large` of one more."""
        command = ["-m", "benchmarks.load", f"--rows={rows}", f"--large={large}"]
        subprocess.run(
            [sys.executable, *command],
            cwd=ROOT,
            env=dict(self.served.environment),
            check=True,
            stdout=subprocess.DEVNULL,
        )

    def rows(self, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.served.database, autocommit=True) as connection:
            cursor = connection.execute(sql, parameters)
            return cursor.fetchall() if cursor.description else []

    @cached_property
    def sessions(self) -> Sequence[str]:
        """New sessions of users who have said nothing yet."""
        with Client(self.served.endpoint, timeout_seconds=30) as client:
            return [
                client.create_session(user_id=f"bench-speaker-{number}").session_id
                for number in range(SESSIONS)
            ]

    @cached_property
    def large_owner(self) -> Known:
        return self._known("user_id = %s", LARGE_USER)

    @cached_property
    def everyone(self) -> Known:
        """A part of the loaded memories of all the other owners."""
        return self._known("user_id LIKE 'bench-user-%%' AND user_id <> %s", LARGE_USER)

    def store(self, count: int) -> list[str]:
        """Create memories and return their ids."""
        creates = self.requests.creates(self.talk, count, self.sessions)
        closed_loop(self.served.endpoint, [creates], in_flight=256)
        found = self.rows(
            "SELECT id FROM memory_entries WHERE session_id = ANY(%s) AND deleted_at IS NULL"
            " ORDER BY created_at DESC LIMIT %s",
            list(self.sessions),
            count,
        )
        return [row[0] for row in found]

    def _known(self, condition: str, user_id: str) -> Known:
        sessions = self.rows(f"SELECT id FROM sessions WHERE {condition} LIMIT 500", user_id)
        names = [row[0] for row in sessions]
        found = self.rows(
            "SELECT id FROM memory_entries WHERE session_id = ANY(%s) LIMIT 10000", names
        )
        return Known([row[0] for row in found], names)
