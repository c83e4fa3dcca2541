"""Start and stop of the whole orchestrator, in one place. The command calls it, and tests do."""

import logging
import secrets
import socket
import sys
import time
from datetime import datetime
from functools import partial
from threading import Event, Thread
from typing import Any

import zmq
from django.db import connection
from django.utils import timezone

from memories.locks import LockBound
from memories.services.orchestrators import note_orchestrator
from memoryproject import VERSION
from zmqbridge.accesses import Accesses
from zmqbridge.answer import Answerer
from zmqbridge.cache import ReadCache
from zmqbridge.config import OrchestratorConfig
from zmqbridge.handlers import LaneName
from zmqbridge.jobs import flush_accesses, make_jobs
from zmqbridge.lanes import Lane
from zmqbridge.latencies import Latencies
from zmqbridge.listener import Listener
from zmqbridge.metrics.endpoint import MetricsEndpoint
from zmqbridge.metrics.families import Families, Sources
from zmqbridge.metrics.measuring import Measuring
from zmqbridge.observer import Observer
from zmqbridge.patience import STATEMENT_FAILED, Patience
from zmqbridge.server import Server
from zmqbridge.skew import Skew
from zmqbridge.tracing import start_tracing

logger = logging.getLogger(__name__)

# A thread that wakes waits for the running one at most this long; Python's own 5 ms were the
# largest part of a request's latency.
_SWITCH_SECONDS = 0.0005
_FIRST_HEARTBEAT_SECONDS = 2.0
_LAST_SECONDS = 0.1
# Of the grace period: refusals of what waits for a database that is away, and the last rows.
_REFUSAL_SHARE = 0.2
_GOODBYE_SHARE = 0.1
_LOCK_SECONDS = 2.0  # that a write waits for rows which a bulk change holds, here or elsewhere
_READ_BATCH = 128
_SEARCH_BATCH = 1  # a quick search does not wait for the reply of a slow one
_HEAVY_BATCH = 1


class Orchestrator:
    """`start` returns the endpoints once they answer; `stop` ends all within the grace period."""

    def __init__(self, config: OrchestratorConfig) -> None:
        self.instance = f"{socket.gethostname()[:40]}-{secrets.token_hex(6)}"
        self._config = config
        self._started_at: datetime = timezone.now()
        self._stopping = Event()
        self._endpoints: list[str] = []
        self._cache = ReadCache(config.cache_entries, config.cache_bytes, config.cache_ttl_seconds)
        self._accesses = Accesses()
        self._latencies = Latencies()
        self._tracing = (
            start_tracing(config.traces_endpoint, config.traces_share, self.instance)
            if config.traces_endpoint
            else None
        )
        self._observer = Observer(
            self._latencies,
            slow_seconds=config.slow_seconds,
            trace=self._tracing.note if self._tracing else None,
        )
        self._measuring = Measuring()
        self._skew = Skew()
        self._patience = Patience(config.reconnect_seconds, self._stopping)
        self._server = Server(
            config.server,
            cache=self._cache,
            accesses=self._accesses,
            observer=self._observer,
            problems=self.problems,
            database_hangs=self._patience.hears_nothing,
        )
        self._answerer = Answerer(self._cache, self._accesses, self._patience, self.report)
        self._lanes = self._make_lanes()
        self._listener = Listener(self.instance, self._cache)
        self._jobs = make_jobs(
            config,
            accesses=self._accesses,
            patience=self._patience,
            report=self._beat,
            count_writes=self._count_writes,
            count_waiting=self._count_waiting_writes,
            measure=self._measure if config.metrics_bind else None,
        )
        self._metrics = self._make_metrics(config.metrics_bind) if config.metrics_bind else None

    @property
    def metrics_url(self) -> str:
        """Where the metrics can be read, or "" where they cannot."""
        return self._metrics.url if self._metrics else ""

    def start(self) -> list[str]:
        """Raises zmq.ZMQError where an endpoint cannot be bound."""
        self._endpoints = self._server.bind()
        self._warm_up()
        self._serve()
        return self._endpoints

    def take_over(self, seconds: float, stop: Event) -> list[str]:
        """Start beside the one that holds the endpoints, and serve once it has let go of them.

        Returns none where `stop` came first. Raises zmq.ZMQError where it kept them that long.
        """
        self._warm_up()
        logger.info("Warm. Waiting for the endpoints: stop the orchestrator that holds them.")
        try:
            bound = self._server.take_over(seconds, stop)
        except zmq.ZMQError:
            self.stop()
            raise
        if stop.is_set():
            self.stop()
            return []
        self._endpoints = bound
        self._serve()
        return bound

    def _warm_up(self) -> None:
        """All but the server: no request has come yet."""
        sys.setswitchinterval(_SWITCH_SECONDS)
        self._beat()
        self._listener.start()
        for job in self._jobs:
            job.start()
        for lane in self._lanes.values():
            lane.start()
        self._listener.wait_until_heard(_FIRST_HEARTBEAT_SECONDS)  # else the first ping is degraded
        if self._metrics:
            self._measuring()
        connection.close()  # this thread needs none while it waits, and would keep a dead one

    def _serve(self) -> None:
        self._server.start(self._lanes)
        if self._metrics:
            self._metrics.open()

    def stop(self) -> bool:
        """Answer what is accepted and end; False if that took longer than the grace period."""
        grace_seconds = self._config.grace_seconds
        deadline = time.monotonic() + grace_seconds
        replies_until = deadline - _GOODBYE_SHARE * grace_seconds
        self._server.stop_accepting()
        closed = self._close_lanes(deadline - _REFUSAL_SHARE * grace_seconds)
        self._stopping.set()  # who waits for a database that is away gets a refusal in time
        closed = closed or self._close_lanes(replies_until)
        self._server.close(replies_until)
        if self._tracing:
            self._tracing.stop(deadline)
        self._listener.stop()
        for job in self._jobs:
            job.stop()
        for thread in (self._listener.thread, *(job.thread for job in self._jobs)):
            thread.join(max(0.1, deadline - time.monotonic()))
        if self._metrics:
            self._metrics.close()  # after the job that measures, which would open them again
        self._say_goodbye(deadline)
        return closed

    def dead_threads(self) -> list[str]:
        """Names of what should run and does not: the process is to stop then."""
        threads = [self._server.thread, self._listener.thread, *(job.thread for job in self._jobs)]
        dead = [thread.name for thread in threads if not thread.is_alive()]
        return dead + [lane.name for lane in self._lanes.values() if not lane.is_alive()]

    def problems(self) -> dict[str, str]:
        """What is wrong, for pings; empty when all is well."""
        problems = {}
        if self._patience.away:
            problems["database"] = "The database cannot be reached."
        elif not self._listener.hears:
            problems["cache"] = "Changes cannot be heard; reads go to the database."
        if clock := self._skew.problem():
            problems["clock"] = clock
        return problems

    def report(self) -> dict[str, Any]:
        """What `stats` and the orchestrator's row tell of it."""
        return {
            "instance": self.instance,
            "version": VERSION,
            "started_at": self._started_at,
            "cache": self._cache.report(),
            "lanes": {name: lane.report() for name, lane in self._lanes.items()},
            "latencies": self._latencies.report(),
            "outbox": self._server.outbox.report(),
            "jobs": {job.name: job.report() for job in self._jobs},
            "accesses_lost": self._accesses.lost,
            "clock_skew_seconds": self._skew.seconds,
        }

    def _count_writes(self) -> int:
        return self._lanes[LaneName.WRITES].answered + self._lanes[LaneName.BULK].answered

    def _count_waiting_writes(self) -> int:
        lanes = (self._lanes[LaneName.WRITES], self._lanes[LaneName.BULK])
        return sum(lane.measure().depth for lane in lanes)

    def _close_lanes(self, deadline: float) -> bool:
        closed = [lane.close(deadline) for lane in self._lanes.values()]
        return all(closed)

    def _make_lanes(self) -> dict[LaneName, Lane]:
        config = self._config

        def lane(name: LaneName, workers: int, batch: int, **options: Any) -> Lane:
            return Lane(
                name,
                workers=workers,
                capacity=config.lane_capacity,
                batch=batch,
                deliver=self._server.deliver,
                **{"answer": self._answerer.answer} | options,
            )

        def writing(name: LaneName, **options: Any) -> Lane:
            # One worker, so that changes happen in the order in which they arrived. While it waits
            # for the database, the server's thread prepares the next batch: else they take turns.
            prepare = self._answerer.prepare
            return lane(name, 1, config.write_batch, prepare=prepare, **options)

        locks = LockBound(_LOCK_SECONDS)
        writes = writing(LaneName.WRITES, answer=partial(self._answerer.answer, locks=locks))
        return {
            LaneName.WRITES: writes,
            LaneName.BULK: writing(LaneName.BULK, behind=writes),
            LaneName.READS: lane(LaneName.READS, config.read_workers, _READ_BATCH),
            LaneName.SEARCH: lane(LaneName.SEARCH, config.search_workers, _SEARCH_BATCH),
            LaneName.WORDS: lane(LaneName.WORDS, config.search_workers, _SEARCH_BATCH),
            LaneName.HEAVY: lane(LaneName.HEAVY, config.heavy_workers, _HEAVY_BATCH),
        }

    def _make_metrics(self, bind: tuple[str, int]) -> MetricsEndpoint:
        sources = Sources(
            latencies=self._latencies,
            observer=self._observer,
            lanes=self._lanes,
            outbox=self._server.outbox,
            cache=self._cache,
            accesses=self._accesses,
            patience=self._patience,
            measuring=self._measuring,
            skew=self._skew,
            jobs=self._jobs,
        )
        return MetricsEndpoint(*bind, Families(sources))

    def _measure(self) -> bool:
        if self._metrics:
            self._metrics.open()
        return self._measuring()

    def _beat(self) -> None:
        self._skew.measure()
        self._write_row()

    def _write_row(self, *, has_stopped: bool = False) -> None:
        note_orchestrator(
            self.instance,
            endpoints=self._endpoints,
            version=VERSION,
            stats=self.report() | {"started_at": self._started_at.isoformat()},
            started_at=self._started_at,
            has_stopped=has_stopped,
        )

    def _say_goodbye(self, deadline: float) -> None:
        """Write what is left, until `deadline` (monotonic): a database that hangs answers never."""
        connection.close()
        writing = Thread(target=self._write_last, name="goodbye", daemon=True)
        writing.start()
        writing.join(max(_LAST_SECONDS, deadline - time.monotonic()))
        if writing.is_alive():
            logger.warning("The last accesses could not be written: the database hangs.")

    def _write_last(self) -> None:
        try:
            while flush_accesses(self._accesses):
                pass
            self._write_row(has_stopped=True)
        except STATEMENT_FAILED as error:
            logger.warning("The last accesses could not be written: %s", error)
        finally:
            connection.close()
