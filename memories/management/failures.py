"""How commands end that do not reach their end: in one sentence."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from django.core.management.base import CommandError
from django.db import DatabaseError, InterfaceError

from memories.errors import MemoriesError

_INTERRUPTED = 130


@contextmanager
def told_in_one_sentence(what_stands: str) -> Iterator[None]:
    """`what_stands`: what is left behind, and what to do then. SIGTERM ends it like Ctrl-C."""
    try:
        with ended_by_sigterm():
            yield
    except (DatabaseError, InterfaceError) as error:
        why = " ".join(str(error).split()).rstrip(".")
        raise CommandError(f"The database failed: {why}. {what_stands}") from error
    except MemoriesError as error:
        raise CommandError(error.message) from error
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        raise CommandError(f"{where}{error.strerror or error}. {what_stands}") from error
    except KeyboardInterrupt:
        raise CommandError(f"Stopped. {what_stands}", returncode=_INTERRUPTED) from None


@contextmanager
def ended_by_sigterm() -> Iterator[None]:
    """As by Ctrl-C, so that what was begun is cleared away on the way out."""
    if threading.current_thread() is not threading.main_thread():
        yield  # no other thread may handle signals
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
