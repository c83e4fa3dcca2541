"""Work that one process does at a time, whatever the number of orchestrators and commands; and how
long a thread waits for rows that others hold."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from zlib import crc32

from django.db import connection, transaction

from memories.changes import rows

# Who waits is singled out of a batch by halves, each of which waits anew.
_SINGLING_OUT = 10


@contextmanager
def held_alone(name: str) -> Iterator[bool]:
    """Whether this connection now has the lock of that name; nobody waits for it.

    It spans transactions, and goes with the connection if that breaks.
    """
    [(is_mine,)] = rows("SELECT pg_try_advisory_lock(%s)", [crc32(name.encode())])
    try:
        yield is_mine
    finally:
        if is_mine and connection.is_usable():
            rows("SELECT pg_advisory_unlock(%s)", [crc32(name.encode())])


def do_alone(name: str, work: Callable[[], bool]) -> bool:
    """Do the work in a transaction, unless somebody else is at it; returns what it gave, or
    False."""
    with transaction.atomic():
        [(is_mine,)] = rows("SELECT pg_try_advisory_xact_lock(%s)", [crc32(name.encode())])
        return is_mine and work()


class LockBound:
    """How long the changes of one thread wait for rows that somebody else holds; then PostgreSQL
    refuses them (55P03). Undoing a large bulk delete, say, holds its memories until it is done: a
    change of one of them would hold up all that stand behind it."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._bounded: Any = None

    def bound(self) -> None:
        """This thread's connection, once."""
        connection.ensure_connection()
        if connection.connection is not self._bounded:
            rows(f"SET lock_timeout = {round(self._seconds * 1000)}")
            self._bounded = connection.connection

    def shorten(self) -> None:
        """In this transaction, in which it is found out who waits."""
        rows(f"SET LOCAL lock_timeout = {round(self._seconds * 1000 / _SINGLING_OUT)}")
