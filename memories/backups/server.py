"""The server of the configured database: connections to its databases, and PostgreSQL's programs.

The modules of this package ask here; whether the server is the embedded one shows nowhere else.
"""

import os
import re
import shutil
import subprocess
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from django.db import DatabaseError, InterfaceError, connection
from psycopg import pq
from psycopg.conninfo import make_conninfo

from memories.backups.errors import BackupError
from memoryproject.postgres.binaries import find_binaries
from memoryproject.postgres.errors import ServerCannotRun

_MAINTENANCE_DATABASE = "postgres"
_WITH_SSL = {"require", "verify-ca", "verify-full"}


@dataclass(frozen=True, slots=True)
class Server:
    """`database`: the configured one. `parameters`: libpq's, for any database of the server."""

    database: str
    parameters: dict[str, Any] = field(repr=False)

    def connect(self, database: str = _MAINTENANCE_DATABASE) -> "psycopg.Connection[Any]":
        """A connection without time limits: a statement here may take hours."""
        parameters = self.parameters | {"dbname": database}
        try:
            opened = psycopg.connect(**parameters, autocommit=True)
        except KeyboardInterrupt as stopped:
            # The traceback holds what is half open; until that is closed, its backend keeps every
            # DROP DATABASE waiting, the one included that tidies up now: for a minute.
            traceback.clear_frames(stopped.__traceback__)
            raise
        for limit in ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"):
            opened.execute(f"SET {limit} = 0")
        return opened

    def command(self, program: str, database: str) -> list[str]:
        """The start of a command line; the password goes by `environment`, where none sees it."""
        with self.connect() as opened:
            major = opened.info.server_version // 10_000
        address = {key: value for key, value in self.parameters.items() if key != "password"}
        wants_ssl = address.get("sslmode") in _WITH_SSL
        return [
            str(find_program(program, major, wants_ssl)),
            f"--dbname={make_conninfo(**address, dbname=database)}",
            "--no-password",
        ]

    def environment(self) -> dict[str, str]:
        password = self.parameters.get("password")
        return {**os.environ, "LC_ALL": "C"} | ({"PGPASSWORD": str(password)} if password else {})


def find_server() -> Server:
    """The server that Django is configured for; an embedded one runs then."""
    known = {option.keyword.decode() for option in pq.Conninfo.get_defaults()}
    given = connection.get_connection_params()
    parameters = {key: value for key, value in given.items() if key in known and value is not None}
    database = parameters.pop("dbname", "") or connection.settings_dict["NAME"]
    return Server(str(database), parameters)


@contextmanager
def telling_failures() -> Iterator[None]:
    """Turn what the database or the disk says into one sentence."""
    try:
        yield
    except (psycopg.Error, DatabaseError, InterfaceError) as error:
        raise BackupError(f"The database failed: {in_one_line(error)}.") from error
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        raise BackupError(f"{where}{error.strerror or error}.") from error


def in_one_line(error: Exception) -> str:
    return " ".join(str(error).split()).rstrip(".")


def find_program(name: str, server_major: int, wants_ssl: bool) -> Path:
    """The one nearest to the server's version: a newer pg_restore says what older servers refuse,
    and an older pg_dump refuses by itself."""
    found = [path for path in _candidates(name, wants_ssl) if _major(path) >= server_major]
    if not found:
        raise BackupError(
            f"The server runs PostgreSQL {server_major}, and there is no {name} of that version "
            f"or newer: install PostgreSQL's client programs {server_major} and put them on PATH."
        )
    return min(found, key=_major)


def _candidates(name: str, wants_ssl: bool) -> Iterator[Path]:
    if not wants_ssl:  # the bundled programs speak no TLS
        with suppress(ServerCannotRun):
            yield find_binaries().directory / name
    if on_path := shutil.which(name):
        yield Path(on_path)


def _major(program: Path) -> int:
    """0 where it does not run."""
    try:
        told = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return 0
    version = re.search(r"\) (\d+)", told.stdout)
    return int(version[1]) if version else 0
