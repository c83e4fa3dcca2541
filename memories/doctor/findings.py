"""What a check of the doctor is, and what it finds. The command runs them one after the other."""

import enum
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from django.core import checks
from django.core.checks import CheckMessage
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, InterfaceError, connection


class State(enum.IntEnum):
    """In the order of their weight."""

    WELL = 0
    WARNING = 1
    BROKEN = 2


@dataclass(frozen=True, slots=True)
class Finding:
    """One sentence each; `advice`, what to do, is empty where all is well."""

    state: State
    text: str
    advice: str = ""


@dataclass(frozen=True, slots=True)
class Check:
    """`needs`: the name of the check without whose success this one has nothing to look at."""

    name: str
    look: Callable[[], Iterable[Finding]]
    needs: str = ""


def well(text: str) -> Finding:
    return Finding(State.WELL, text)


def warning(text: str, advice: str) -> Finding:
    return Finding(State.WARNING, text, advice)


def broken(text: str, advice: str) -> Finding:
    return Finding(State.BROKEN, text, advice)


def told(messages: Iterable[CheckMessage], otherwise: str) -> list[Finding]:
    """What Django's system checks found, or that all is well."""
    found = [
        Finding(
            State.BROKEN if message.level >= checks.ERROR else State.WARNING,
            message.msg,
            message.hint or "",
        )
        for message in messages
        if message.level >= checks.WARNING
    ]
    return found or [well(otherwise)]


def examine(todo: Iterable[Check]) -> Iterator[tuple[Check, Finding]]:
    """Make the checks in their order; a database or a file that fails one is a finding of it."""
    broken_ones: set[str] = set()
    for check in todo:
        for finding in _look(check, broken_ones):
            if finding.state is State.BROKEN:
                broken_ones.add(check.name)
            yield check, finding


def _look(check: Check, broken_ones: set[str]) -> list[Finding]:
    if check.needs in broken_ones:
        broken_ones.add(check.name)  # whatever needs this one cannot be looked at either
        return [warning("Not looked at.", f"First mend what is said of the {check.needs}.")]
    try:
        return list(check.look())
    except (DatabaseError, InterfaceError, ImproperlyConfigured, OSError) as error:
        connection.close()
        why = " ".join(str(error).split()).rstrip(".?")
        return [broken(f"It cannot be looked at: {why}.", "Mend what this names.")]
