"""System checks: what a wrong set-up looks like, each with an id, where it is and what to do.

Django runs them before every command, `run_orchestrator` among them; those that look into the
database with `migrate` and `check --database default`. `startup` asks some of those as well.
"""

import ipaddress
import re
from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Error, Tags, register
from django.db import DatabaseError, connection

from memories.changes import rows
from memories.services.words import known_languages

MIN_POSTGRES = 16
MIN_VECTOR = (0, 8)
LONGEST_CACHE_TTL_SECONDS = 86_400
PROMISED_REQUEST_KEY_DAYS = 7
IPC_PATH_MAX_BYTES = 107

_TCP = re.compile(r"tcp://(?:\[(?P<ipv6>[^\]]+)\]|(?P<host>[^\[\]:/]+)):(?P<port>\d{1,5}|\*)")
_LOCAL_HOSTS = {"localhost", "127.0.0.1", "[::1]", "::1", ".localhost"}
_LOOPBACK_NAMES = {"localhost", "lo"}

Apps = Sequence[AppConfig] | None


@register(Tags.security)
def check_endpoints(app_configs: Apps = None, **_: Any) -> list[CheckMessage]:
    if not settings.ORCHESTRATOR_ENDPOINTS:
        return [
            Error(
                "ORCHESTRATOR_ENDPOINTS is empty: no client could connect.",
                hint="Name at least one, such as tcp://127.0.0.1:5570.",
                id="memories.E002",
            )
        ]
    problems = (_problem_of(endpoint) for endpoint in settings.ORCHESTRATOR_ENDPOINTS)
    return [problem for problem in problems if problem]


@register()
def check_promises(app_configs: Apps = None, **_: Any) -> list[CheckMessage]:
    """Settings that are allowed and weaken what the protocol promises."""
    found: list[CheckMessage] = []
    if settings.CACHE_TTL_SECONDS >= LONGEST_CACHE_TTL_SECONDS:
        found.append(
            checks.Warning(
                f"CACHE_TTL_SECONDS is {settings.CACHE_TTL_SECONDS:g}: a memory that is changed "
                "past the services may be read as it was for that long.",
                hint="Minutes are enough: the default is 300.",
                id="memories.W002",
            )
        )
    if settings.REQUEST_KEY_DAYS < PROMISED_REQUEST_KEY_DAYS:
        found.append(
            checks.Warning(
                f"REQUEST_KEY_DAYS is {settings.REQUEST_KEY_DAYS:g}: a change that is sent again "
                "later than that is carried out twice.",
                hint=f"The protocol promises {PROMISED_REQUEST_KEY_DAYS}.",
                id="memories.W003",
            )
        )
    return found


@register(Tags.security)
def check_debug(app_configs: Apps = None, **_: Any) -> list[CheckMessage]:
    hosts = sorted(set(settings.ALLOWED_HOSTS) - _LOCAL_HOSTS)
    if not settings.DEBUG or not hosts:
        return []
    return [
        checks.Warning(
            f"DEBUG is on and ALLOWED_HOSTS names {', '.join(hosts)}: an error page would show "
            "settings and memories to whoever meets it.",
            hint="Set DEBUG=false, or leave only this machine in ALLOWED_HOSTS.",
            id="memories.W004",
        )
    ]


@register(Tags.database)
def check_database(
    app_configs: Apps = None, databases: Sequence[str] | None = None, **_: Any
) -> list[CheckMessage]:
    """Nothing where the database is away: the command that needs it says so itself."""
    if "default" not in (databases or ()):
        return []
    try:
        return [
            *vector_problems(),
            *_language_problems(),
            *durability_problems(),
            *archive_problems(),
        ]
    except DatabaseError:
        return []


def version_problems() -> list[CheckMessage]:
    version = connection.pg_version // 10_000  # type: ignore[attr-defined]
    if version >= MIN_POSTGRES:
        return []
    return [
        Error(
            f"The database runs PostgreSQL {version}; version {MIN_POSTGRES} or newer is needed.",
            hint="Move it to a newer server: dump it, restore the dump there.",
            id="memories.E004",
        )
    ]


def encoding_problems() -> list[CheckMessage]:
    """In any other encoding some texts cannot be kept, or come back as bytes."""
    [(encoding,)] = rows(
        "SELECT pg_encoding_to_char(encoding) FROM pg_database WHERE datname = current_database()"
    )
    if encoding == "UTF8":
        return []
    return [
        Error(
            f"The encoding of the database is {encoding}.",
            hint="Make it with ENCODING 'UTF8'.",
            id="memories.E005",
        )
    ]


def vector_problems() -> list[CheckMessage]:
    """Without it there are no tables; `migrate` creates it where the server offers it."""
    found = rows(
        """
        SELECT coalesce(installed_version, default_version), installed_version IS NOT NULL
        FROM pg_available_extensions WHERE name = 'vector'"""
    )
    if not found:
        return [
            Error(
                "The extension vector (pgvector) is missing on the database's server.",
                hint="Install pgvector 0.8 or newer there, then run `python manage.py migrate`.",
                id="memories.E001",
            )
        ]
    [(version, installed)] = found
    if tuple(int(part) for part in version.split(".")[:2]) >= MIN_VECTOR:
        return []
    update = ", then run ALTER EXTENSION vector UPDATE in this database" if installed else ""
    return [
        Error(
            f"The extension vector (pgvector) is {version} in this database.",
            hint=f"Update the server's package to 0.8 or newer{update}.",
            id="memories.E001",
        )
    ]


def durability_problems() -> list[CheckMessage]:
    return [
        checks.Warning(
            f"{name} is off in the database: what is answered as stored can be lost in a crash.",
            hint=f"Switch {name} on.",
            id="memories.W005",
        )
        for name, value in rows(
            "SELECT name, setting FROM pg_settings WHERE name IN ('fsync', 'synchronous_commit')"
        )
        if value == "off"
    ]


def archive_problems() -> list[CheckMessage]:
    """Archiving that was asked for and does not happen: the WAL would fill the disk, or be lost."""
    if not settings.WAL_ARCHIVE:
        return []
    [(mode, fails_since)] = rows(
        """
        SELECT current_setting('archive_mode'), CASE WHEN last_failed_time >
            coalesce(last_archived_time, '-infinity') THEN last_failed_wal END
        FROM pg_stat_archiver"""
    )
    if mode == "off":
        return [
            checks.Warning(
                "WAL_ARCHIVE is on, and the server that runs was started without it.",
                hint="Stop all that use it once, so that it starts anew.",
                id="memories.W006",
            )
        ]
    if fails_since is None:
        return []
    return [
        checks.Warning(
            f"The archiving of the WAL fails, since {fails_since}: the disk fills meanwhile.",
            hint="The newest log in DATA_DIR/postgres.run/log says why.",
            id="memories.W007",
        )
    ]


def _language_problems() -> list[CheckMessage]:
    known = known_languages()
    if settings.SEARCH_LANGUAGE in known:
        return []
    return [
        Error(
            f"SEARCH_LANGUAGE is {settings.SEARCH_LANGUAGE!r}, which the database does not know.",
            hint=f"Choose from {', '.join(known)}.",
            id="memories.E003",
        )
    ]


def _problem_of(endpoint: str) -> CheckMessage | None:
    if endpoint.startswith("ipc://"):
        return _problem_of_path(endpoint)
    match = _TCP.fullmatch(endpoint)
    if match is None or (match["port"] != "*" and int(match["port"]) > 65_535):
        return Error(
            f"ORCHESTRATOR_ENDPOINTS names {endpoint!r}, which is no endpoint.",
            hint="Write tcp://HOST:PORT, such as tcp://127.0.0.1:5570, or ipc://PATH.",
            id="memories.E002",
        )
    if _is_loopback(match["ipv6"] or match["host"]):
        return None
    return checks.Warning(
        f"ORCHESTRATOR_ENDPOINTS names {endpoint}: there is no encryption and no authentication, "
        "so whoever reaches this port reads, changes and deletes every memory.",
        hint="Bind tcp://127.0.0.1:PORT or ipc://PATH, or let a firewall or tunnel guard the port.",
        id="memories.W001",
    )


def _problem_of_path(endpoint: str) -> CheckMessage | None:
    path = endpoint.removeprefix("ipc://").encode()
    if 0 < len(path) <= IPC_PATH_MAX_BYTES:
        return None
    return Error(
        f"ORCHESTRATOR_ENDPOINTS names {endpoint!r}, whose path has {len(path)} bytes.",
        hint=f"A path has 1 to {IPC_PATH_MAX_BYTES} bytes: choose a shorter one.",
        id="memories.E002",
    )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:  # a name: of a host or, as ZeroMQ allows, of a network interface
        return host in _LOOPBACK_NAMES
