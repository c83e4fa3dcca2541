"""gunicorn's configuration for the admin. `make run`, docker-compose.yml and services use it."""

import sys
from typing import Any

bind = "127.0.0.1:8000"
worker_class = "gthread"
workers = 1  # a few people look; each process has a pool of database connections of its own
threads = 8
timeout = 60
graceful_timeout = 10
loglevel = "warning"
accesslog = None
control_socket_disable = True  # nobody uses it, and a container's account has no home for it


def when_ready(server: Any) -> None:
    """One line on standard output, as the orchestrator prints one: `deploy/run.py` waits for it."""
    sys.stdout.write(f"ready {' '.join(str(listener) for listener in server.LISTENERS)}\n")
    sys.stdout.flush()
