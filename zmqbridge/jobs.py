"""The background jobs: each a thread that does units of work until there are no more."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from threading import Event, Thread
from typing import Any

from django.db import connection
from django.utils import timezone

from memories.locks import do_alone
from memories.services.access import log_accesses
from memories.services.embedding.fill_active import ActiveFill
from memories.services.embedding.tasks import embed_tasks
from memories.services.embedding.vector_index import IndexBuild
from memories.services.forget import expire_memories
from memories.services.proofs import ProofFile
from zmqbridge.accesses import Accesses
from zmqbridge.backup_job import BackupWork
from zmqbridge.config import BackupConfig, OrchestratorConfig
from zmqbridge.giving_way import GivingWay
from zmqbridge.patience import STATEMENT_FAILED, Patience, is_lost, is_repeatable
from zmqbridge.purge_job import PurgeWork

logger = logging.getLogger(__name__)

_FLUSH_BATCH = 5_000
_PURGE_SECONDS = 60.0
_EMBED_SECONDS = 0.25
_INDEX_SECONDS = 180.0
_MEASURE_SECONDS = 15.0
_BACKUP_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class JobMeasures:
    """`last_success_timestamp_seconds` is Unix time."""

    runs: int
    failures: int
    busy_seconds: float
    period_seconds: float
    last_success_timestamp_seconds: float


class Job:
    """Calls `work` every `seconds` until `stopping`, and again at once while there may be more.
    `interrupt` cuts short a unit that can take minutes."""

    def __init__(
        self,
        name: str,
        seconds: float,
        work: Callable[[], bool],
        stopping: Event,
        interrupt: Callable[[], None] = lambda: None,
    ) -> None:
        self.name = name
        self.failures = self.runs = 0
        self._busy_seconds = 0.0
        self._last_success_at = time.time()  # a job that has not run yet is not late
        self._seconds = seconds
        self._work = work
        self._stopping = stopping
        self._interrupt = interrupt
        self.thread = Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        self.thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._interrupt()

    def measure(self) -> JobMeasures:
        return JobMeasures(
            runs=self.runs,
            failures=self.failures,
            busy_seconds=self._busy_seconds,
            period_seconds=self._seconds,
            last_success_timestamp_seconds=self._last_success_at,
        )

    def report(self) -> dict[str, Any]:
        return {"runs": self.runs, "failures": self.failures}

    def _run(self) -> None:
        try:
            while not self._stopping.wait(self._seconds):
                while self._tick() and not self._stopping.is_set():
                    pass
        finally:
            connection.close()

    def _tick(self) -> bool:
        """One unit of work; a failure is logged and waits for the next time."""
        self.runs += 1
        began = time.monotonic()
        try:
            may_be_more = self._work()
            self._last_success_at = time.time()
            return may_be_more
        except STATEMENT_FAILED as error:
            if self._stopping.is_set():
                return False  # it was interrupted
            if is_lost(error):
                logger.warning("The job %s could not reach the database: %s", self.name, error)
            elif is_repeatable(error):
                logger.warning("The job %s met a change, and will be done again.", self.name)
            else:
                logger.exception("The job %s failed.", self.name)
            connection.close()
        except Exception:  # the boundary of a job's tick: the next one may do better
            logger.exception("The job %s failed.", self.name)
        finally:
            self._busy_seconds += time.monotonic() - began
        self.failures += 1
        return False


def make_jobs(
    config: OrchestratorConfig,
    *,
    accesses: Accesses,
    patience: Patience,
    report: Callable[[], None],
    count_writes: Callable[[], int],
    count_waiting: Callable[[], int],
    measure: Callable[[], bool] | None,
) -> list[Job]:
    """`report` writes this orchestrator's row; `count_writes` and `count_waiting`, of
    the writes answered and those that wait, tell how busy it is; `measure`
    takes the figures for the metrics, where they are wanted."""

    def index() -> bool:
        index_build.build_where_wanted()
        return False

    stopping = Event()
    index_build = IndexBuild()
    purge_work = PurgeWork(config.ages, ProofFile(config.erasures_dir))
    purge = GivingWay(purge_work, count_writes, count_waiting, stopping)
    fill = ActiveFill()
    embed = GivingWay(
        lambda: embed_tasks() > 0 or fill.queue_some(), count_writes, count_waiting, stopping
    )
    measuring = [Job("measuring", _MEASURE_SECONDS, measure, stopping)] if measure else []
    jobs = [
        *measuring,
        Job("heartbeat", 1.0, lambda: _beat(patience, report), stopping),
        Job("access-log", config.access_flush_seconds, lambda: flush_accesses(accesses), stopping),
        Job("expiry", config.expire_seconds, lambda: do_alone("expiry", expire_memories), stopping),
        Job("purge", _PURGE_SECONDS, purge, stopping),
        Job("embedding", _EMBED_SECONDS, embed, stopping),
        # Not `do_alone`: that opens a transaction, in which no index is built concurrently.
        Job("vector-index", _INDEX_SECONDS, index, stopping, index_build.cancel),
    ]
    if config.backup.schedule:
        jobs.append(make_backup_job(config.backup, stopping))
    return jobs


def make_backup_job(config: BackupConfig, stopping: Event) -> Job:
    work = BackupWork(config, stopping)
    return Job("backup", _BACKUP_SECONDS, lambda: do_alone("backup", work), stopping, work.stop)


def flush_accesses(accesses: Accesses) -> bool:
    taken = accesses.take()
    batch = dict(islice(taken.items(), _FLUSH_BATCH))
    accesses.put_back(taken - type(taken)(batch))
    try:
        log_accesses(batch, timezone.now())
    except STATEMENT_FAILED:
        accesses.put_back(type(taken)(batch))
        raise
    return len(taken) > _FLUSH_BATCH


def _beat(patience: Patience, report: Callable[[], None]) -> bool:
    try:
        with patience.asking():
            report()
        patience.found()
    except STATEMENT_FAILED as error:
        if is_lost(error):
            patience.lost(str(error).strip())
        else:  # a database that can only be read, say, still answers who reads
            patience.found()
            logger.warning("The row of this orchestrator could not be written: %s", error)
        connection.close()
    return False
