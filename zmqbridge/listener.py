"""Hears which memories were changed, here or elsewhere, and has the cache forget them.

It proves once a period that it hears, by a heartbeat of its own; while it does not, the cache is
distrusted, and every read goes to the database.
"""

import logging
import time
from threading import Event, Thread

import msgspec
import psycopg
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, connection

from memories.changes import CHANNEL
from zmqbridge.cache import ReadCache

logger = logging.getLogger(__name__)

# A change unheard is served for at most the sum of both: the protocol promises 2 seconds.
_HEARTBEAT_SECONDS = 0.5
_SILENCE_SECONDS = 1.25
_PAUSE_SECONDS = 0.25

_read_ids = msgspec.json.Decoder(list[str]).decode


class Listener:
    def __init__(self, instance: str, cache: ReadCache) -> None:
        self._heartbeats = f"{CHANNEL}_{instance}"
        self._cache = cache
        self._stopping = Event()
        self._heard_once = Event()
        self.hears = False
        self.thread = Thread(target=self._run, name="listener", daemon=True)

    def start(self) -> None:
        self.thread.start()

    def wait_until_heard(self, seconds: float) -> bool:
        """Whether it heard its first heartbeat within that time."""
        return self._heard_once.wait(seconds)

    def stop(self) -> None:
        self._stopping.set()

    def _run(self) -> None:
        said = ""
        while not self._stopping.is_set():
            try:
                with _direct_connection() as listening:
                    self._listen(listening)
            except (psycopg.Error, DatabaseError, ImproperlyConfigured) as error:
                level = logging.DEBUG if str(error) == said else logging.WARNING
                logger.log(level, "The listener lost its connection: %s", str(error).strip())
                said = str(error)
            finally:
                self._set_hears(False)
            self._stopping.wait(_PAUSE_SECONDS)

    def _listen(self, listening: psycopg.Connection) -> None:
        for channel in (CHANNEL, self._heartbeats):
            listening.execute(psycopg.sql.SQL("LISTEN {}").format(psycopg.sql.Identifier(channel)))
        heard = time.monotonic()
        while not self._stopping.is_set():
            listening.execute("SELECT pg_notify(%s, '')", [self._heartbeats])
            beat_until = time.monotonic() + _HEARTBEAT_SECONDS
            while (left := beat_until - time.monotonic()) > 0 and not self._stopping.is_set():
                for notice in listening.notifies(timeout=left, stop_after=1):
                    heard = self._hear(notice, heard)
            self._set_hears(time.monotonic() - heard < _SILENCE_SECONDS)

    def _hear(self, notice: psycopg.Notify, heard: float) -> float:
        """Returns when this was heard, if it was our own heartbeat."""
        if notice.channel == self._heartbeats:
            self._set_hears(True)
            return time.monotonic()
        try:
            self._cache.forget(_read_ids(notice.payload))
        except msgspec.DecodeError:  # EVERYTHING, or what anyone else may have sent
            self._cache.forget_all()
        return heard

    def _set_hears(self, hears: bool) -> None:
        if hears == self.hears:
            return
        self.hears = hears
        (self._cache.trust if hears else self._cache.distrust)()
        if hears:
            self._heard_once.set()


def _direct_connection() -> psycopg.Connection:
    """A connection of its own: LISTEN does not go through a pool that shares them."""
    parameters = dict(connection.get_connection_params())
    for django_only in ("pool", "cursor_factory", "context", "prepare_threshold"):
        parameters.pop(django_only, None)
    return psycopg.connect(**{"connect_timeout": 5, **parameters}, autocommit=True)
