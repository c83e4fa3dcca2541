"""`manage.py run_orchestrator`: migrate, start, wait, stop."""

import gc
import logging
import os
from argparse import ArgumentParser
from typing import Any

import zmq
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from memories.startup import prepare_database
from zmqbridge.config import read_config
from zmqbridge.management.signals import stop_on_signals
from zmqbridge.orchestrator import Orchestrator

logger = logging.getLogger(__name__)

_WATCH_SECONDS = 1.0
_GARBAGE_OBJECTS = 50_000


class Command(BaseCommand):
    help = "Serve the memories over ZeroMQ until SIGTERM or SIGINT; a second signal forces."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--bind",
            action="append",
            default=[],
            metavar="ENDPOINT",
            help="tcp://HOST:PORT (port 0: a free one) or ipc://PATH; may be given several times",
        )
        parser.add_argument(
            "--no-migrate", action="store_true", help="do not bring the tables up to date first"
        )

        parser.add_argument(
            "--take-over",
            type=float,
            default=0.0,
            metavar="SECONDS",
            help="while another orchestrator holds the endpoints, be ready and wait so long for "
            "it to stop: an upgrade without a refused request",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        stop = stop_on_signals()
        for warning in prepare_database(migrate=not options["no_migrate"], stop=stop):
            logger.warning(warning)
        if stop.is_set():
            return
        orchestrator = Orchestrator(read_config(settings, tuple(options["bind"])))
        try:
            endpoints = (
                orchestrator.take_over(options["take_over"], stop)
                if options["take_over"]
                else orchestrator.start()
            )
        except zmq.ZMQError as error:
            raise CommandError(f"An endpoint cannot be bound: {error}.") from error
        if not endpoints:
            return  # asked to stop while it waited
        _collect_garbage_seldom()
        self._say_ready(endpoints)
        dead: list[str] = []
        while not dead and not stop.wait(_WATCH_SECONDS):
            dead = orchestrator.dead_threads()
        in_time = orchestrator.stop()
        if dead:
            raise CommandError(f"Stopped, because these threads died: {', '.join(dead)}.")
        if not in_time:
            raise CommandError("Stopped with requests unanswered: the grace period was over.")

    def _say_ready(self, endpoints: list[str]) -> None:
        try:
            self.stdout.write(f"ready {' '.join(endpoints)}")
            self.stdout.flush()
        except OSError as error:
            logger.warning("Ready, but nobody can be told: %s.", error.strerror)
            # What Python's buffer still holds would be tried again at the exit, and fail it.
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def _collect_garbage_seldom() -> None:
    """Requests leave next to no cycles behind. Looking for them after every 700 objects, and
    through all of Django now and then, took a fifth of the Python time of a create."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_GARBAGE_OBJECTS)
