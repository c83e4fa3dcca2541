"""Spans as a collector gets them: decoded from what really comes over HTTP."""

import gzip
import sys
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from django.conf import settings
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.factories import Peer, create
from zmqbridge.client import Client
from zmqbridge.config import read_config
from zmqbridge.orchestrator import Orchestrator
from zmqbridge.tracing import start_tracing

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = f"00-{TRACE}-b7ad6b7169203331-01"
NOT_SAMPLED = f"00-{TRACE}-b7ad6b7169203331-00"


class Collector(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            for scope in resource.scope_spans:
                self.server.spans += [(self.path, span) for span in scope.spans]
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def collector():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Collector)
    server.spans = []
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@contextmanager
def tracing_to(endpoint, share=1.0):
    config = replace(
        read_config(settings, ("tcp://127.0.0.1:0",)),
        traces_endpoint=endpoint,
        traces_share=share,
    )
    orchestrator = Orchestrator(config)
    [address] = orchestrator.start()
    try:
        yield address
    finally:
        assert orchestrator.stop()


def url_of(server):
    return f"http://127.0.0.1:{server.server_port}"


def test_a_request_is_a_span_of_its_callers_trace(collector, transactional_db):
    with (
        tracing_to(url_of(collector)) as address,
        Client(address, session_id="kitchen") as client,
    ):
        client.create("The cat is called Minou.", traceparent=PARENT)
    paths, spans = zip(*collector.spans, strict=True)
    assert set(paths) == {"/v1/traces"}
    assert {span.trace_id.hex() for span in spans} == {TRACE}
    by_name = {span.name: span for span in spans}
    request, wait, service = (by_name[name] for name in ("create", "lane wait", "service"))
    assert request.parent_span_id.hex() == "b7ad6b7169203331"
    assert wait.parent_span_id == service.parent_span_id == request.span_id
    told = {each.key: each.value.string_value for each in request.attributes}
    assert told["memories.outcome"] == "success"
    assert told["memories.lane"] == "writes"
    assert request.start_time_unix_nano <= wait.start_time_unix_nano
    assert wait.end_time_unix_nano <= service.end_time_unix_nano <= request.end_time_unix_nano


def test_the_callers_choice_and_the_share_are_kept(collector, transactional_db):
    with tracing_to(url_of(collector), share=0) as address:
        peer = Peer(address)
        for traceparent in (None, NOT_SAMPLED, PARENT, 7, "x" * 55, ["x"] * 100):
            reply = peer.ask("create", create(), traceparent=traceparent)
            assert reply["status"] == "success"
        peer.ask("ping", traceparent=PARENT)
        peer.close()
    assert [span.name for _, span in collector.spans].count("create") == 1
    assert len(collector.spans) == 3


def test_a_collector_that_is_away_harms_nobody(transactional_db):
    with tracing_to("http://127.0.0.1:9") as address:
        peer = Peer(address)
        assert peer.ask("create", create(), traceparent=PARENT)["status"] == "success"
        peer.close()


def test_without_the_packages_one_sentence_says_what_to_do(monkeypatch, caplog):
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    assert start_tracing("http://127.0.0.1:4318", 1.0, "kitchen") is None
    [said] = [each.message for each in caplog.records if each.name == "zmqbridge.tracing"]
    assert "opentelemetry.sdk.trace is missing; pip install -r requirements-traces.txt." in said
