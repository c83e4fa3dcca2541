"""The log lines of every process: to standard error, readable or as JSON. The settings use it."""

import logging
import os
from typing import Any

_STANDARD_ERROR = 2
_RARE_SECONDS = 60


class LineHandler(logging.Handler):
    """A line that cannot be written (the disk is full) is counted, and stops nobody.

    Written past Python's buffers: what these still hold of a full disk would be tried again at the
    exit, and make it a failure.
    """

    lines_lost = 0

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = f"{self.format(record)}\n".encode(errors="backslashreplace")
            while line:
                line = line[os.write(_STANDARD_ERROR, line) :]
        except Exception:  # the outermost boundary of all: there is nowhere left to tell of it
            LineHandler.lines_lost += 1


class RareLines(logging.Filter):
    """Lets a line pass each minute: a collector of traces that is away is told of every 5 seconds
    by its library, and for days."""

    def __init__(self) -> None:
        super().__init__()
        self._quiet_until = 0.0

    def filter(self, record: logging.LogRecord) -> bool:
        if record.created < self._quiet_until:
            return False
        self._quiet_until = record.created + _RARE_SECONDS
        return True


def log_settings(level: str, form: str) -> dict[str, Any]:
    """Django's LOGGING. `form`: `readable` or `json`, one object a line."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "readable": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"},
            "json": {
                "()": "pythonjsonlogger.json.JsonFormatter",
                "fmt": ("levelname", "name", "message"),
                "rename_fields": {"levelname": "level", "name": "logger"},
                "timestamp": "time",
            },
        },
        "filters": {"rare": {"()": "memories.logs.RareLines"}},
        "handlers": {
            "stderr": {"class": "memories.logs.LineHandler", "formatter": form},
            "rarely": {
                "class": "memories.logs.LineHandler",
                "formatter": form,
                "filters": ["rare"],
            },
        },
        "root": {"handlers": ["stderr"], "level": "WARNING"},
        "loggers": {
            "memories": {"level": level},
            "zmqbridge": {"level": level},
            "opentelemetry": {"handlers": ["rarely"], "level": "ERROR", "propagate": False},
        },
    }
