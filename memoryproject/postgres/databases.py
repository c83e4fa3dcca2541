"""Makes the main database on first use, for the backend and `dbshell`."""

from contextlib import suppress

import psycopg
from django.db.backends.base.creation import TEST_DATABASE_PREFIX
from psycopg import sql

from memoryproject.postgres.launch import ServerAddress

_made_databases: set[tuple[ServerAddress, str]] = set()


def make_main_database(address: ServerAddress, name: str) -> None:
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
