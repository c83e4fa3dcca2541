"""The backup job: runs `manage.py backup` when it is due, as a process of its own.

Called by jobs and `manage.py run_backups`. What is due is told by the database alone: a backup that
was missed is made up for, and of several orchestrators the one that holds the job's lock makes it.
"""

import logging
import subprocess
from datetime import datetime, timedelta
from threading import Event

from cronsim import CronSim
from django.utils import timezone

from memories.changes import rows
from memories.services.backups import Kind, last_backup, last_failure, record_failure
from zmqbridge.config import BackupConfig

logger = logging.getLogger(__name__)

_RETRY = timedelta(minutes=15)
_LONGEST_BACKUP = timedelta(hours=2)


def trouble(schedule: str) -> str:
    """What is wrong with the scheduled backups, or "": one failed, or was due and is not there."""
    if failure := last_failure():
        return f"The last try, at {failure.at:%F %R}, failed: {failure.reason}"
    last = last_backup()
    if last is None:
        return "No good backup was made yet."
    due = next(CronSim(schedule, timezone.now() - _LONGEST_BACKUP, reverse=True))
    if last.made_at < due:
        return f"The backup that was due at {due:%F %R} was not made."
    return ""


class BackupWork:
    """To be called in a transaction, whose lock keeps the others from doing the same."""

    def __init__(self, config: BackupConfig, stopping: Event) -> None:
        self._config = config
        self._kinds = [Kind.DUMP, Kind.BASE] if config.archives else [Kind.DUMP]
        self._stopping = stopping
        self._process: subprocess.Popen[str] | None = None

    def __call__(self) -> bool:
        """Back up where it is due. A failure is told, and tried again after a while."""
        now = timezone.now()
        due = [kind for kind in self._kinds if self._is_due(kind, now)]
        if due:
            # The transaction stays idle for as long as the backup takes.
            rows("SELECT set_config('idle_in_transaction_session_timeout', '0', true)")
        for kind in due:
            self._back_up(kind)
        return False

    def stop(self) -> None:
        """Ends what runs; nothing half done is left."""
        if process := self._process:
            process.terminate()

    def _is_due(self, kind: Kind, now: datetime) -> bool:
        due = next(CronSim(self._config.schedule, now, reverse=True))
        last, failure = last_backup(kind), last_failure(kind)
        if last and last.made_at >= due:
            return False
        return failure is None or failure.at < now - _RETRY

    def _back_up(self, kind: Kind) -> None:
        arguments = ["backup", f"--keep-count={self._config.keep_count}"]
        if self._config.keep_days:
            arguments.append(f"--keep-days={self._config.keep_days}")
        if kind is Kind.BASE:
            self._run(kind, *arguments, "--base")
        elif self._run(kind, *arguments) and self._config.verifies:
            made = last_backup()
            assert made is not None  # the command recorded it
            self._run(kind, "verify_backup", made.path)

    def _run(self, kind: Kind, *arguments: str) -> bool:
        """Whether it went well."""
        if self._stopping.is_set():
            return False
        began = timezone.now()
        self._process = process = subprocess.Popen(
            [*self._config.manage, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        if self._stopping.is_set():  # it came between the last look and the start
            process.terminate()
        told, errors = process.communicate()
        if process.returncode == 0:
            logger.info("%s: %s", arguments[0], " ".join(told.split()))
        elif not self._stopping.is_set():
            lines = errors.strip().splitlines() or [f"it ended with {process.returncode}"]
            reason = lines[-1].removeprefix("CommandError: ")
            logger.error("The %s failed: %s", arguments[0], reason)
            record_failure(kind, began, f"{arguments[0]}: {reason}")
        return process.returncode == 0
