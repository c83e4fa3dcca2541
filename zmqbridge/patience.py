"""How long to wait for a database that is away, and to know meanwhile that it is.

Workers meet a lost connection here; while the database is away, requests are refused at once
instead of each waiting for it, until the heartbeat has found it again. A database that hangs breaks
no connection: that the heartbeat waits for it too long tells it.
"""

import logging
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event

from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, InterfaceError, connection

from memories.changes import rows

logger = logging.getLogger(__name__)

# What a statement raises, whether or not there is a database; the embedded server that cannot run
# is the last of them.
STATEMENT_FAILED = (DatabaseError, InterfaceError, ImproperlyConfigured)

_PAUSE_SECONDS = 0.1
# How much longer than a request waits a heartbeat may wait for a statement: a busy disk is no loss.
_SILENCE_SECONDS = 5.0
# SQLSTATEs of a connection that is lost or refused, and of a server that goes down.
_LOST = ("08", "57P")
_REPEATABLE = ("40001", "40P01")


def sqlstate_of(error: Exception) -> str:
    """What the server says, "" where it said nothing."""
    return getattr(error.__cause__, "sqlstate", None) or ""


def is_lost(error: Exception) -> bool:
    """Whether a statement failed with its connection: what became of it nobody knows. What the
    server refused it has rolled back."""
    state = sqlstate_of(error)
    return not state or state.startswith(_LOST)


def is_repeatable(error: Exception) -> bool:
    """Whether others were at the same rows, and doing it again is all that is wanted."""
    return sqlstate_of(error) in _REPEATABLE


class Patience:
    """`stopping` ends every wait."""

    def __init__(self, seconds: float, stopping: Event) -> None:
        self._seconds = seconds
        self._stopping = stopping
        self._away = ""
        self._asked_at = math.inf
        self.losses = 0

    @property
    def away(self) -> str:
        """Why the database cannot be used, or "" while it can."""
        self.hears_nothing()
        return self._away

    @contextmanager
    def asking(self) -> Iterator[None]:
        """For the heartbeat, while it asks the database."""
        self._asked_at = time.monotonic()
        try:
            yield
        finally:
            self._asked_at = math.inf

    def hears_nothing(self) -> bool:
        """Whether the heartbeat waits in vain: then whoever uses the database does as well."""
        waited_seconds = time.monotonic() - self._asked_at
        is_silent = waited_seconds > self._seconds + _SILENCE_SECONDS
        if is_silent and not self._away:
            self.lost(f"It has not answered for {waited_seconds:.0f} seconds.")
        return is_silent

    def found(self) -> None:
        if self._away:
            logger.warning("The database is back.")
        self._away = ""

    def lost(self, why: str) -> None:
        if not self._away:
            logger.error("The database is away: %s", why)
            self.losses += 1
        self._away = why

    def reconnect(self, error: Exception) -> bool:
        """Wait for the database to answer again on this thread's connection; False if in vain."""
        logger.warning("A statement failed, looking into it: %s", error)
        deadline = time.monotonic() + (0 if self._away else self._seconds)
        while True:
            try:
                connection.close()
                rows("SELECT 1")
            except STATEMENT_FAILED as still:
                if time.monotonic() > deadline or self._stopping.wait(_PAUSE_SECONDS):
                    self.lost(str(still).strip() or str(error).strip())
                    return False
            else:
                self.found()
                return True
