"""Databases that are made beside the configured one and do not outlive their use."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psycopg
from psycopg import sql

from memories.backups.errors import BackupError
from memories.backups.server import Server

_PREFIX = "memories_scratch_"

# As the configured database sorts and compares, or as the server does where there is none yet.
# Before PostgreSQL 17 the name of `datlocale` was `daticulocale`.
_LOCALE = """
SELECT d.datlocprovider, d.datcollate, d.datctype,
    coalesce(to_jsonb(d)->>'datlocale', to_jsonb(d)->>'daticulocale')
FROM pg_database d WHERE d.datname = %s"""

_PROVIDERS = {"i": ("icu", "ICU_LOCALE"), "b": ("builtin", "BUILTIN_LOCALE")}


def new_name() -> str:
    return f"{_PREFIX}{secrets.token_hex(6)}"


@contextmanager
def scratch_database(server: Server) -> Iterator[str]:
    """The name of a new database, which is dropped at the end, if it still has that name."""
    name = new_name()
    with server.connect() as connection:
        # Held as long as we live: what nobody holds was left by a process that was killed.
        connection.execute("SELECT pg_advisory_lock(hashtext(%s))", [name])
        _drop_remains(connection)
        try:
            _create(connection, server.database, name)
            yield name
        except BaseException:
            # The first failure is told, even where the server is gone; then the next one drops it.
            with suppress(psycopg.Error):
                _drop_whatever_happened(server, name)
            raise
        _drop_whatever_happened(server, name)


def drop_database(connection: "psycopg.Connection[Any]", name: str) -> None:
    statement = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
    connection.execute(statement)


def _drop_whatever_happened(server: Server, name: str) -> None:
    """By a connection of its own: the first may have broken in the middle of a statement."""
    with server.connect() as connection:
        drop_database(connection, name)


def _drop_remains(connection: "psycopg.Connection[Any]") -> None:
    found = connection.execute(
        "SELECT datname FROM pg_database WHERE starts_with(datname, %s)", [_PREFIX]
    ).fetchall()
    for (name,) in found:
        [(is_ours,)] = connection.execute(
            "SELECT NOT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory'"
            " AND objid::bigint = hashtext(%s)::bigint & 4294967295)",
            [name],
        ).fetchall()
        if is_ours:
            drop_database(connection, name)


def _create(connection: "psycopg.Connection[Any]", like: str, name: str) -> None:
    statement = sql.SQL("CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8'").format(
        sql.Identifier(name)
    )
    for provider, collation, character_type, locale in connection.execute(_LOCALE, [like]):
        statement += sql.SQL(" LC_COLLATE {} LC_CTYPE {}").format(collation, character_type)
        if provider in _PROVIDERS:
            word, option = _PROVIDERS[provider]
            statement += sql.SQL(f" LOCALE_PROVIDER {word} {option} {{}}").format(locale)
    try:
        connection.execute(statement)
    except psycopg.errors.InsufficientPrivilege as error:
        raise BackupError(
            "A database beside the present one is needed, and this account may not make one: "
            "ALTER ROLE … CREATEDB allows it."
        ) from error
