"""`manage.py run_backups`: the backups of BACKUP_SCHEDULE, in a process apart from the others."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from zmqbridge.backup_job import trouble
from zmqbridge.config import read_config
from zmqbridge.jobs import make_backup_job
from zmqbridge.management.signals import stop_on_signals


class Command(BaseCommand):
    help = "Back up whenever BACKUP_SCHEDULE says, until SIGTERM or SIGINT."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--check",
            action="store_true",
            help="only look; the exit code is not 0 where a backup failed or is late",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        config = read_config(settings).backup
        if not config.schedule:
            raise CommandError("BACKUP_SCHEDULE is not set: give it a line of cron, as 15 3 * * *.")
        if options["check"]:
            if wrong := trouble(config.schedule):
                raise CommandError(wrong)
            return
        stop = stop_on_signals()
        job = make_backup_job(config, stop)
        job.start()
        self.stdout.write(f"ready {config.schedule}")
        self.stdout.flush()
        stop.wait()
        job.stop()
        job.thread.join()
