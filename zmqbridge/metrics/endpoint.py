"""The HTTP endpoint of the metrics, in threads of its own. The orchestrator opens and closes it.

A port that is taken stops nothing: it is said once, and tried again, since the orchestrator that
is being replaced may still hold it.
"""

import logging
from threading import Thread
from wsgiref.simple_server import WSGIServer

from prometheus_client import CollectorRegistry, ProcessCollector, start_http_server
from prometheus_client.registry import Collector

logger = logging.getLogger(__name__)


class MetricsEndpoint:
    """`host` and `port`: where to listen; port 0 picks a free one."""

    def __init__(self, host: str, port: int, families: Collector) -> None:
        self._host = host
        self._port = port
        self._registry = CollectorRegistry()
        self._registry.register(families)
        ProcessCollector(registry=self._registry)
        self._server: WSGIServer | None = None
        self._thread: Thread | None = None
        self._complaint = ""

    @property
    def url(self) -> str:
        """Where the metrics are, or "" while they cannot be had."""
        if self._server is None:
            return ""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self._server.server_port}/metrics"

    def open(self) -> bool:
        """Listen, if that has not succeeded yet; False where it cannot."""
        if self._server is not None:
            return True
        try:
            self._server, self._thread = start_http_server(
                self._port, self._host, registry=self._registry
            )
        except OSError as error:
            self._complain(error)
            return False
        logger.info("Metrics are at %s", self.url)
        return True

    def close(self) -> None:
        if self._server is not None and self._thread is not None:
            self._server.shutdown()
            self._thread.join()
            self._server.server_close()
            self._server = None

    def _complain(self, error: OSError) -> None:
        complaint = (
            f"The metrics cannot be served on {self._host}:{self._port} (METRICS_BIND): "
            f"{error.strerror or error}. All else goes on; it is tried again now and then."
        )
        if complaint != self._complaint:
            logger.warning("%s", complaint)
        self._complaint = complaint
