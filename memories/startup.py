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
from django.db import DatabaseError, OperationalError, connection
from django.db.migrations.executor import MigrationExecutor
from psycopg.errors import LockNotAvailable

from memories.changes import rows
from memories.checks import (
    archive_problems,
    durability_problems,
    encoding_problems,
    vector_problems,
    version_problems,
)
from memories.services.embedding.models import set_up_model
from memories.services.words import language

logger = logging.getLogger(__name__)

_MIGRATION_LOCK = 0x6D656D6F
_PAUSE_SECONDS = 0.5
_LOCK_TIMEOUT = "1s"


def prepare_database(*, migrate: bool, stop: Event) -> list[str]:
    """Make the database ready; returns warnings about what weakens a promise.

    Raises CommandError, with one sentence, where it cannot be used.
    """
    leave_the_pool()
    _wait(stop)
    if stop.is_set():
        return []
    try:
        _check_server()
        if migrate:
            _migrate(stop)
        else:
            _check_migrated()
        language()
        model_warnings = set_up_model()
    except DatabaseError as error:
        raise CommandError(f"The database cannot be made ready: {_in_one_line(error)}") from error
    except ImproperlyConfigured as error:
        raise CommandError(str(error)) from error
    problems = [*durability_problems(), *archive_problems()]
    weakened = [f"{problem.msg} {problem.hint}" for problem in problems]
    return [*_of_newer_tables(), *weakened, *model_warnings]


def leave_the_pool() -> None:
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


def _migrate(stop: Event) -> None:
    """One process at a time: CREATE TABLE IF NOT EXISTS of two would race."""
    rows("SELECT pg_advisory_lock(%s)", [_MIGRATION_LOCK])
    try:
        rows("SELECT set_config('lock_timeout', %s, false)", [_LOCK_TIMEOUT])
        deadline = time.monotonic() + settings.DATABASE_WAIT_SECONDS
        while not stop.is_set() and not _migrate_unless_in_use(deadline):
            stop.wait(_PAUSE_SECONDS)
    finally:
        rows("SELECT set_config('lock_timeout', '0', false)")
        rows("SELECT pg_advisory_unlock(%s)", [_MIGRATION_LOCK])


def _migrate_unless_in_use(deadline: float) -> bool:
    """Each migration is a transaction: one that found its table in use is tried again whole.

    Waiting in the database's own queue, it would hold up all later requests for that table, of
    the version that still serves, for as long as a backup reads it.
    """
    try:
        call_command("migrate", verbosity=0, interactive=False)
    except OperationalError as error:
        if not isinstance(error.__cause__, LockNotAvailable) or time.monotonic() > deadline:
            raise
        logger.info("A table is in use, trying to migrate again: %s", _in_one_line(error))
        return False
    return True


def pending_migrations() -> list[str]:
    """Those not applied yet, in their order."""
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return [str(migration) for migration, _ in plan]


def newer_migrations() -> list[str]:
    """Those that a later version has applied and this one does not know."""
    loader = MigrationExecutor(connection).loader
    unknown = set(loader.applied_migrations) - set(loader.disk_migrations)
    return sorted(name for app, name in unknown if app == "memories")


def _of_newer_tables() -> list[str]:
    """No refusal: where the version before can still serve, going back is the operator's right."""
    if not (newer := newer_migrations()):
        return []
    return [
        f"The tables are of a newer version: this one does not know {', '.join(newer)}. What it "
        "writes may lack what that version needs: run that version."
    ]


def _check_migrated() -> None:
    if pending_migrations():
        raise CommandError(
            "The tables are not up to date: run `python manage.py migrate`, or start without "
            "--no-migrate."
        )


def _check_server() -> None:
    for look in (version_problems, encoding_problems, vector_problems):
        for problem in look():
            raise CommandError(f"{problem.msg} {problem.hint}")


def _in_one_line(error: Exception) -> str:
    return " ".join(str(error).split())
