"""Hears which memories were changed, here or elsewhere, and has the cache forget them.

It proves once a period that it hears, by a heartbeat of its own, and each gives the cache trust for
a while. While none comes, or this thread itself is held up, every read goes to the database.
"""

import logging
import time
from threading import Event, Thread

import msgspec
import psycopg
from django.db import connection

from memories.changes import CHANNEL
from memories.services.caches import forget_everything
from zmqbridge.cache import ReadCache
from zmqbridge.patience import STATEMENT_FAILED

logger = logging.getLogger(__name__)

_HEARTBEAT_SECONDS = 0.5
# A change unheard is served for at most so long: the protocol promises 2 seconds.
_SILENCE_SECONDS = 1.25
_PAUSE_SECONDS = 0.25

_read_ids = msgspec.json.Decoder(list[str]).decode


class Listener:
    def __init__(self, instance: str, cache: ReadCache) -> None:
        self._heartbeats = f"{CHANNEL}_{instance}"
        self._cache = cache
        self._stopping = Event()
        self._heard_once = Event()
        self.thread = Thread(target=self._run, name="listener", daemon=True)

    @property
    def hears(self) -> bool:
        return self._cache.is_trusted()

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
            except (psycopg.Error, *STATEMENT_FAILED) as error:
                level = logging.DEBUG if str(error) == said else logging.WARNING
                logger.log(level, "The listener lost its connection: %s", str(error).strip())
                said = str(error)
            finally:
                self._cache.distrust()
                forget_everything()  # what is said now is not heard
            self._stopping.wait(_PAUSE_SECONDS)

    def _listen(self, listening: psycopg.Connection) -> None:
        for channel in (CHANNEL, self._heartbeats):
            listening.execute(psycopg.sql.SQL("LISTEN {}").format(psycopg.sql.Identifier(channel)))
        while not self._stopping.is_set():
            beat_at = time.monotonic()
            listening.execute("SELECT pg_notify(%s, '')", [self._heartbeats])
            beat_until = beat_at + _HEARTBEAT_SECONDS
            while (left := beat_until - time.monotonic()) > 0 and not self._stopping.is_set():
                for notice in listening.notifies(timeout=left, stop_after=1):
                    self._hear(notice, beat_at)

    def _hear(self, notice: psycopg.Notify, beat_at: float) -> None:
        if notice.channel == self._heartbeats:
            # From when it was sent: what was changed after that may still be on its way.
            self._cache.trust(beat_at + _SILENCE_SECONDS - time.monotonic())
            self._heard_once.set()
            return
        try:
            self._cache.forget(_read_ids(notice.payload))
        except msgspec.DecodeError:  # EVERYTHING, or what anyone else may have sent
            self._forget_everything()

    def _forget_everything(self) -> None:
        """An owner may have been erased: sessions are remembered as well."""
        self._cache.forget_all()
        forget_everything()


def _direct_connection() -> psycopg.Connection:
    """A connection of its own: LISTEN does not go through a pool that shares them."""
    parameters = dict(connection.get_connection_params())
    for django_only in ("pool", "cursor_factory", "context", "prepare_threshold"):
        parameters.pop(django_only, None)
    return psycopg.connect(**{"connect_timeout": 5, **parameters}, autocommit=True)
