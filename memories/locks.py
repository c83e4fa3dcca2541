"""Work that one process does at a time, whatever the number of orchestrators and commands."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from zlib import crc32

from django.db import connection, transaction

from memories.changes import rows


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
