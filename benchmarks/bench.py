"""What every scenario is given: the orchestrator under test, its database, and stored memories."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import psycopg

from benchmarks.driver import closed_loop
from benchmarks.serving import Served
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
        self.served.load(f"--rows={rows}", f"--large={large}")

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
        names = self.rows("SELECT id FROM sessions WHERE user_id = %s LIMIT 500", LARGE_USER)
        return self._known([name for (name,) in names])

    @cached_property
    def everyone(self) -> Known:
        """A session of each of the other owners, and a part of its memories."""
        names = self.rows(
            "SELECT DISTINCT ON (owner_id) id FROM sessions"
            " WHERE starts_with(user_id, 'bench-user-') ORDER BY owner_id, id"
        )
        return self._known([name for (name,) in names])

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

    def _known(self, sessions: Sequence[str]) -> Known:
        found = self.rows(
            "SELECT id FROM memory_entries WHERE session_id = ANY(%s)"
            " ORDER BY right(id, 22) LIMIT 10000",
            sessions,
        )
        return Known([an_id for (an_id,) in found], sessions)
