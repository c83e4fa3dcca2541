"""Puts a restored database in the place of the configured one. Called by `manage.py restore`."""

from collections.abc import Callable

import psycopg
from psycopg import sql

from memories.backups.content import list_tables
from memories.backups.errors import BackupError
from memories.backups.scratch import drop_database, new_name
from memories.backups.server import Server

_TRIES = 3


def is_used(server: Server) -> bool:
    """Whether the configured database is there and has tables."""
    with server.connect() as connection:
        found = connection.execute(
            "SELECT FROM pg_database WHERE datname = %s", [server.database]
        ).fetchall()
    if not found:
        return False
    with server.connect(server.database) as connection:
        return bool(list_tables(connection))


def swap_in(server: Server, restored: str, look_last: Callable[[], None]) -> None:
    """Give the restored database the configured name; what had it before is dropped.

    Both names change in one transaction, so that at every moment a whole database is served.
    `look_last` may see what the present database holds after its last session was ended.
    """
    replaced = new_name()
    with server.connect() as connection:
        connection.execute("SELECT pg_advisory_lock(hashtext(%s))", [replaced])
        for tries_left in reversed(range(_TRIES)):
            try:
                _end_sessions(connection, server.database)
                look_last()
                _end_sessions(connection, restored)
                _rename(connection, {server.database: replaced, restored: server.database})
                break
            except psycopg.errors.ObjectInUse as error:  # somebody was quicker to come back
                if not tries_left:
                    raise BackupError(
                        f"The database {server.database} stays in use: stop what is connected "
                        "to it. Nothing was changed."
                    ) from error
        drop_database(connection, replaced)


def _end_sessions(connection: "psycopg.Connection[tuple[object, ...]]", database: str) -> None:
    connection.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"
        " AND backend_type = 'client backend'",
        [database],
    )


def _rename(
    connection: "psycopg.Connection[tuple[object, ...]]", new_names: dict[str, str]
) -> None:
    """Those that are there; waits up to 5 seconds for the sessions that were ended."""
    with connection.transaction():
        for name, new in new_names.items():
            found = connection.execute("SELECT FROM pg_database WHERE datname = %s", [name])
            if found.fetchall():
                statement = sql.SQL("ALTER DATABASE {} RENAME TO {}")
                connection.execute(statement.format(sql.Identifier(name), sql.Identifier(new)))
