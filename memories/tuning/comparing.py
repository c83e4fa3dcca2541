"""What the server is set to, beside what is advised for it. Called by `tune_postgres`."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.conf import settings
from django.db import connection

from memories.changes import rows
from memoryproject.postgres.tuning import Advice, Workload

# Less is no difference: what is free of a disk changes from day to day.
_TOLERANCE = 0.25
_UNITS = {"B": 1, "kB": 1 << 10, "8kB": 8 << 10, "MB": 1 << 20, "GB": 1 << 30, "TB": 1 << 40}


@dataclass(frozen=True, slots=True)
class Compared:
    """`now`: as the server shows it."""

    advice: Advice
    now: str
    differs: bool
    needs_restart: bool


def is_on_this_machine() -> bool:
    """Whether the server's memory and disk are this machine's."""
    host = str(connection.get_connection_params().get("host", ""))
    return not host or host.startswith("/") or host in {"localhost", "127.0.0.1", "::1"}


def read_workload() -> Workload:
    [(largest,)] = rows("SELECT coalesce(max(n_live_tup), 0) FROM pg_stat_user_tables")
    [(wal_bytes,)] = rows(
        "SELECT wal_bytes / greatest(extract(epoch FROM now() - stats_reset), 3600)"
        " * (SELECT setting::int FROM pg_settings WHERE name = 'checkpoint_timeout')"
        " FROM pg_stat_wal"
    )
    [(orchestrators,)] = rows(
        "SELECT count(*) FROM orchestrators WHERE seen_at > now() - interval '1 minute'"
    )
    # Every orchestrator and the admin may fill a pool; some are left for people and backups.
    connections = (orchestrators + 1) * settings.DATABASE_POOL_SIZE + 20
    return Workload(int(largest), int(wal_bytes), connections)


def compare(advice: Sequence[Advice]) -> list[Compared]:
    """What this server does not know is left out."""
    found = {
        name: (setting, unit, shown, context)
        for name, setting, unit, shown, context in rows(
            "SELECT name, setting, coalesce(unit, ''), current_setting(name), context"
            " FROM pg_settings WHERE name = ANY(%s)",
            [[each.name for each in advice]],
        )
    }
    compared = []
    for each in advice:
        if each.name in found:
            setting, unit, shown, context = found[each.name]
            differs = _differs(each, setting, unit)
            compared.append(Compared(each, shown, differs, context == "postmaster"))
    return compared


def _differs(advice: Advice, setting: str, unit: str) -> bool:
    now, wanted = _number(setting, unit), _number(advice.value, unit)
    if now is None or wanted is None:
        return setting not in (advice.value, *advice.also)
    if advice.at_least:
        return now < wanted
    return abs(now - wanted) > (_TOLERANCE * wanted if unit in _UNITS else 0)


def _number(value: str, unit: str) -> float | None:
    """Sizes in bytes. `unit` is that of the setting; a value may bring its own."""
    digits = value.rstrip("TGMkB")
    try:
        number = float(digits)
    except ValueError:
        return None
    return number * _UNITS.get(value[len(digits) :] or unit, 1)
