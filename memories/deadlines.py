"""A time by which a thread's statements must be done. Searches set it, `rows` keeps it.

PostgreSQL counts its `statement_timeout` for each statement anew, so that it is set before each.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from django.db import OperationalError, connection, transaction

_QUERY_CANCELED = "57014"
_deadline: ContextVar[float | None] = ContextVar("deadline", default=None)


class OutOfTime(Exception):
    """What was asked of the database is not done by the deadline."""


@contextmanager
def ending_by(deadline: float) -> Iterator[None]:
    """A transaction whose statements end by then (monotonic). Raises OutOfTime."""
    before = _deadline.set(deadline)
    try:
        inside = connection.in_atomic_block
        with transaction.atomic():
            yield
            if inside:  # the rest of that transaction has no deadline
                _execute("SET LOCAL statement_timeout = DEFAULT")
    except OperationalError as error:
        if getattr(error.__cause__, "sqlstate", "") != _QUERY_CANCELED:
            raise
        raise OutOfTime from error
    finally:
        _deadline.reset(before)


def limit_statement() -> None:
    """Give the next statement the time that is left. Raises OutOfTime where none is."""
    deadline = _deadline.get()
    if deadline is None:
        return
    left_ms = int((deadline - time.monotonic()) * 1000)
    if left_ms < 1:
        raise OutOfTime
    _execute(f"SET LOCAL statement_timeout = {left_ms}")


def _execute(sql: str) -> None:
    with connection.wrap_database_errors:
        connection.connection.execute(sql, prepare=False)
