"""Set what is advised: by ALTER SYSTEM, or in the embedded server's own file. Called by
`tune_postgres`."""

from collections.abc import Mapping
from pathlib import Path

from django.conf import settings
from django.db import DatabaseError
from psycopg import sql
from psycopg.errors import InsufficientPrivilege

from memories.changes import rows
from memoryproject.postgres.tuning import render_setting

_FILE_MODE = 0o644  # the embedded server may run under another account


class MayNotSet(Exception):
    """The account may not set these; the message says what to do."""


def apply_settings(wanted: Mapping[str, str]) -> str:
    """Set and load them; those that need a restart wait for it. Returns where they stand now.

    Raises MayNotSet, and then what the account may set is set.
    """
    if (own_file := _own_file()) is not None:
        write_settings(own_file, wanted)
        rows("SELECT pg_reload_conf()")
        return str(own_file)
    refused = [name for name, value in wanted.items() if not _alter_system(name, value)]
    if not _reload() or refused:
        raise MayNotSet(_advice_for_a_superuser(wanted, refused))
    return "postgresql.auto.conf"


def write_settings(path: Path, wanted: Mapping[str, str]) -> None:
    """Lines of the same settings are replaced, all else stays."""
    kept = [
        line
        for line in (path.read_text().splitlines() if path.exists() else [])
        if line.split("=")[0].strip() not in wanted
    ]
    path.write_text("\n".join([*kept, *map(render_setting, wanted.items())]) + "\n")
    path.chmod(_FILE_MODE)


def statement_for(name: str, value: str) -> str:
    return sql.SQL("ALTER SYSTEM SET {} = {}").format(sql.Identifier(name), value).as_string()


def _own_file() -> Path | None:
    """The user's settings of the embedded server, which it reads after those of its own."""
    database = settings.DATABASES["default"]
    if database["ENGINE"] != "memoryproject.postgres":
        return None
    return Path(database["OPTIONS"]["data_dir"]) / "postgres.conf"


def _alter_system(name: str, value: str) -> bool:
    try:
        rows(statement_for(name, value))
    except DatabaseError as error:
        if isinstance(error.__cause__, InsufficientPrivilege):
            return False
        raise
    return True


def _reload() -> bool:
    try:
        rows("SELECT pg_reload_conf()")
    except DatabaseError as error:
        if isinstance(error.__cause__, InsufficientPrivilege):
            return False
        raise
    return True


def _advice_for_a_superuser(wanted: Mapping[str, str], refused: list[str]) -> str:
    [(account,)] = rows("SELECT current_user")
    statements = [f"{statement_for(name, wanted[name])};" for name in refused]
    what = ", ".join(refused) or "load what was set"
    return "\n".join(
        [
            f"The account {account} may not set {what}: have a superuser run these lines."
            if refused
            else f"The account {account} may not load what was set: have a superuser run this.",
            *statements,
            "SELECT pg_reload_conf();",
        ]
    )
