"""One moment of the database, read row by row: no export is ever in memory whole."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection, transaction

from memories.changes import rows


@contextmanager
def one_moment() -> Iterator[None]:
    """All that is read inside is of one moment. To be called outside of a transaction."""
    with transaction.atomic():
        rows("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        rows("SET LOCAL TimeZone = 'UTC'")  # the rows' text depends on it
        rows("SET LOCAL statement_timeout = 0")
        yield


def stream(sql: str, parameters: dict[str, Any]) -> Iterator[tuple[Any, ...]]:
    """The rows, some at a time. Several streams may be read in turn."""
    with connection.chunked_cursor() as cursor:
        cursor.execute(sql, parameters)
        yield from cursor
