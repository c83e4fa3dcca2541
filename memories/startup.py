"""What stands between a database and the first request: wait for it, migrate, look at it.

Called by the commands that serve.
"""

import logging
import time
from threading import Event

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor

from memories.changes import rows
from memories.services.embedding_models import set_up_model
from memories.services.words import language

logger = logging.getLogger(__name__)

MIN_POSTGRES = 160000
MIN_VECTOR = (0, 8)
_MIGRATION_LOCK = 0x6D656D6F
_PAUSE_SECONDS = 0.5


def prepare_database(*, migrate: bool, stop: Event) -> list[str]:
    """Make the database ready; returns warnings about what weakens a promise.

    Raises CommandError, with one sentence, where it cannot be used.
    """
    _leave_the_pool()
    _wait(stop)
    if stop.is_set():
        return []
    if connection.pg_version < MIN_POSTGRES:  # type: ignore[attr-defined]
        raise CommandError(
            f"The database runs PostgreSQL {connection.pg_version // 10000}; "  # type: ignore[attr-defined]
            "version 16 or newer is needed."
        )
    try:
        (_migrate if migrate else _check_migrated)()
        _check_vector()
        language()
        model_warnings = set_up_model()
    except DatabaseError as error:
        raise CommandError(f"The database cannot be made ready: {_in_one_line(error)}") from error
    except ImproperlyConfigured as error:
        raise CommandError(str(error)) from error
    return [*_weakened_promises(), *model_warnings]


def _leave_the_pool() -> None:
    """Give each thread a connection of its own.

    A serving thread keeps its connection anyway, and the pool tries a database that was away with
    growing pauses: it would notice only minutes later that it is back.
    """
    connection.settings_dict["OPTIONS"].pop("pool", None)


def _wait(stop: Event) -> None:
    """Until the database answers; it may still be coming up."""
    deadline = time.monotonic() + settings.DATABASE_WAIT_SECONDS
    logged = ""
    while not stop.is_set():
        try:
            rows("SELECT 1")
        except DatabaseError as error:
            why = _in_one_line(error)
            if time.monotonic() > deadline:
                raise CommandError(
                    f"The database did not answer within {settings.DATABASE_WAIT_SECONDS:g} "
                    f"seconds (DATABASE_WAIT_SECONDS): {why}"
                ) from error
            if why != logged:
                logger.info("Waiting for the database: %s", why)
            logged = why
            connection.close()
            stop.wait(_PAUSE_SECONDS)
        else:
            return


def _migrate() -> None:
    """One process at a time: CREATE TABLE IF NOT EXISTS of two would race."""
    rows("SELECT pg_advisory_lock(%s)", [_MIGRATION_LOCK])
    try:
        call_command("migrate", verbosity=0, interactive=False)
    finally:
        rows("SELECT pg_advisory_unlock(%s)", [_MIGRATION_LOCK])


def _check_migrated() -> None:
    executor = MigrationExecutor(connection)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        raise CommandError(
            "The tables are not up to date: run `python manage.py migrate`, or start without "
            "--no-migrate."
        )


def _check_vector() -> None:
    found = rows("SELECT extversion FROM pg_extension WHERE extname = 'vector'")
    if not found:
        raise CommandError(
            "The extension vector (pgvector) is missing in this database: install it on the "
            "server, then run `python manage.py migrate`."
        )
    version = tuple(int(part) for part in found[0][0].split(".")[:2])
    if version < MIN_VECTOR:
        raise CommandError(
            f"pgvector is {found[0][0]}; version 0.8 or newer is needed: update the package, "
            "then run ALTER EXTENSION vector UPDATE in this database."
        )


def _weakened_promises() -> list[str]:
    warnings = [
        f"{name} is off: what is answered as stored can be lost in a crash. Switch it on."
        for name, value in rows(
            "SELECT name, setting FROM pg_settings WHERE name IN ('fsync', 'synchronous_commit')"
        )
        if value == "off"
    ]
    if settings.CACHE_TTL_SECONDS >= 86_400:
        warnings.append(
            f"CACHE_TTL_SECONDS is {settings.CACHE_TTL_SECONDS:g}: a memory that is changed past "
            "the services may be read as it was for that long. Minutes are enough."
        )
    if settings.REQUEST_KEY_DAYS < 7:
        warnings.append(
            f"REQUEST_KEY_DAYS is {settings.REQUEST_KEY_DAYS:g}: a change sent again later than "
            "that is carried out twice. The protocol promises 7."
        )
    return warnings


def _in_one_line(error: Exception) -> str:
    return " ".join(str(error).split())
