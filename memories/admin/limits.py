"""How long a page may ask the database. Every list and page of the admin keeps to it."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import OperationalError, transaction
from psycopg.errors import QueryCanceled

from memories.changes import rows

PAGE_SECONDS = 5


class TookTooLong(Exception):
    """A statement was stopped."""


@contextmanager
def limited_time() -> Iterator[None]:
    """A transaction in which each statement has PAGE_SECONDS. Raises TookTooLong."""
    try:
        with transaction.atomic():
            rows(f"SET LOCAL statement_timeout = '{PAGE_SECONDS}s'")
            yield
    except OperationalError as error:
        if not isinstance(error.__cause__, QueryCanceled):
            raise
        raise TookTooLong from error
