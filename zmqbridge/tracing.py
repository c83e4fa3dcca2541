"""Spans of requests, sent to a collector of OpenTelemetry over OTLP and HTTP.

The packages are optional, and imported here alone, once an endpoint is set. Spans are made when a
reply is out, from the times that it carries: a request that is not traced pays nothing.
"""

import logging
import time
from threading import Thread
from typing import TYPE_CHECKING

from memoryproject import VERSION
from zmqbridge.protocol import PINGS, Code
from zmqbridge.routing import Reply

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

logger = logging.getLogger(__name__)

_TIMEOUT_SECONDS = 5
_LAST_SECONDS = 2.0
_OURS_TO_ANSWER_FOR = {Code.INTERNAL_ERROR, Code.STORAGE_ERROR, Code.SEARCH_ERROR}


def start_tracing(endpoint: str, share: float, instance: str) -> "Tracing | None":
    """Send `share` of the traces that begin here, and what a client traces as it says, to
    `endpoint`; None, and a warning, where the packages are missing."""
    try:
        return Tracing(_make_provider(endpoint, share, instance))
    except ImportError as error:
        logger.warning(
            "No traces are sent to %s (TRACES_ENDPOINT): the package %s is missing; "
            "pip install -r requirements-traces.txt.",
            endpoint,
            error.name,
        )
        return None


class Tracing:
    """A span for each request, and below it one for its wait in the lane and one for the service
    of its batch."""

    def __init__(self, provider: "TracerProvider") -> None:
        from opentelemetry import trace
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        self._provider = provider
        self._tracer = provider.get_tracer("zmqbridge", VERSION)
        self._trace = trace
        self._context_of = TraceContextTextMapPropagator().extract

    def note(self, reply: Reply, error: str) -> None:
        """`error`: the code of the reply, "" where it is none."""
        if reply.action in PINGS:
            return
        now = time.monotonic()
        epoch_ns = time.time_ns() - int(now * 1e9)  # of the monotonic clock
        span = self._tracer.start_span(
            reply.action,
            context=self._context_of({"traceparent": reply.traceparent}),
            kind=self._trace.SpanKind.SERVER,
            start_time=epoch_ns + int(reply.since * 1e9),
            attributes={
                "memories.request_id": reply.request_id,
                "memories.outcome": error or "success",
                "memories.lane": str(reply.lane),
            },
        )
        if not span.is_recording():
            return
        if error in _OURS_TO_ANSWER_FOR:
            span.set_status(self._trace.StatusCode.ERROR, error)
        within = self._trace.set_span_in_context(span)
        if reply.began:
            steps = [("lane wait", reply.since, reply.began), ("service", reply.began, reply.done)]
            for name, start, end in steps:
                self._tracer.start_span(
                    name, context=within, start_time=epoch_ns + int(start * 1e9)
                ).end(epoch_ns + int(end * 1e9))
        span.end(epoch_ns + int(now * 1e9))

    def stop(self, deadline: float) -> None:
        """Send what is left, for two seconds and until `deadline` (monotonic) at the latest."""
        # In a thread: a collector that hangs holds the library for longer than a stop may take.
        sending = Thread(target=self._provider.shutdown, name="traces", daemon=True)
        sending.start()
        sending.join(min(_LAST_SECONDS, max(0.0, deadline - time.monotonic())))


def _make_provider(endpoint: str, share: float, instance: str) -> "TracerProvider":
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased

    resource = Resource(
        {
            "service.name": "memories",
            "service.version": VERSION,
            "service.instance.id": instance,
        }
    )
    provider = TracerProvider(
        resource=resource,
        sampler=ParentBased(TraceIdRatioBased(share)),
        shutdown_on_exit=False,
    )
    url = f"{endpoint.rstrip('/')}/v1/traces"
    exporter = OTLPSpanExporter(endpoint=url, timeout=_TIMEOUT_SECONDS)
    provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=2000))
    return provider
