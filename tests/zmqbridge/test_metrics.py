"""What Prometheus reads: over HTTP, from a whole orchestrator that serves."""

import socket
import urllib.request
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.conf import settings as project_settings
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from memories.services.backups import BackupSeen, record_backup
from memories.services.disks import measure_disks
from memories.services.measures import measure_database
from tests.factories import SESSION, Peer, create, wait_until
from zmqbridge.config import read_config
from zmqbridge.metrics.endpoint import MetricsEndpoint
from zmqbridge.orchestrator import Orchestrator


def scrape(url):
    with urllib.request.urlopen(url, timeout=10) as reply:
        return reply.read().decode()


class Scraped:
    def __init__(self, url):
        families = text_string_to_metric_families(scrape(url))
        self._samples = {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in families
            for sample in family.samples
        }

    def __call__(self, name, **labels):
        return self._samples.get((f"memories_{name}", frozenset(labels.items())))


@pytest.fixture
def serving(transactional_db):
    config = replace(
        read_config(project_settings, ("tcp://127.0.0.1:0",)), metrics_bind=("127.0.0.1", 0)
    )
    orchestrator = Orchestrator(config)
    [endpoint] = orchestrator.start()
    peer = Peer(endpoint)
    yield orchestrator, peer
    peer.close()
    assert orchestrator.stop()


def counted(url):
    """What is told once the last request is counted, which is after its reply."""
    told = Scraped(url)
    of_lane = told("lane_batch_size_sum", lane="writes")
    refused = told("requests_total", action="refused", outcome="invalid_request")
    return told if (of_lane, refused) == (2, 1) else None


def test_what_was_asked_is_counted(serving):
    orchestrator, peer = serving
    named = {"memory_id": peer.ask("create", create("Minou is a cat."))["data"]["memory_id"]}
    for _ in range(3):
        peer.ask("read", named)
    peer.ask("create", create(priority=99))
    peer.ask("no such action")
    told = wait_until(lambda: counted(orchestrator.metrics_url))
    assert told("requests_total", action="create", outcome="success") == 1
    assert told("requests_total", action="create", outcome="validation_error") == 1
    # From the first create on, so that the first trouble is a rise.
    assert told("requests_total", action="create", outcome="storage_error") == 0
    assert told("request_seconds_count", action="read") == 3
    assert told("request_seconds_bucket", action="read", le="+Inf") == 3
    assert 0 < told("request_seconds_sum", action="read") < 30
    assert told("lane_busy_seconds_total", lane="writes") > 0
    assert told("lane_waited_seconds_total", lane="writes") > 0
    assert told("cache_hits_total") == 2
    assert told("cache_trusted") == told("database_up") == 1
    assert told("database_max_connections") > told("database_connections", state="idle") > 0
    assert told("job_failures_total", job_name="embedding") == 0
    wait_until(
        lambda: Scraped(orchestrator.metrics_url)("job_runs_total", job_name="embedding") > 0
    )


def test_no_label_names_anyone(serving):
    orchestrator, peer = serving
    memory_id = peer.ask("create", create())["data"]["memory_id"]
    peer.ask("create", create(), session_id="session-of-anna", request_id="r-1")
    peer.ask(f"an action called {memory_id}")
    text = scrape(orchestrator.metrics_url)
    assert [name for name in (memory_id, SESSION, "anna", "r-1") if name in text] == []


def test_a_taken_port_is_said_once_and_tried_again(caplog):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        endpoint = MetricsEndpoint("127.0.0.1", port, CollectorRegistry())
        assert not endpoint.open()
        assert not endpoint.open()
        assert not endpoint.url
    [said] = caplog.messages
    assert f"127.0.0.1:{port} (METRICS_BIND): Address already in use." in said
    assert endpoint.open()
    assert "process_cpu_seconds_total" in scrape(endpoint.url)
    endpoint.close()


def test_an_orchestrator_serves_without_its_metrics(transactional_db):
    with socket.create_server(("127.0.0.1", 0)) as other:
        config = read_config(project_settings, ("tcp://127.0.0.1:0",))
        orchestrator = Orchestrator(replace(config, metrics_bind=other.getsockname()))
        [endpoint] = orchestrator.start()
        peer = Peer(endpoint)
        assert peer.ask("create", create())["status"] == "success"
        peer.close()
        assert orchestrator.stop()


def test_the_age_of_backups_can_be_seen(db):
    made_at = datetime(2026, 1, 31, 8, 30, tzinfo=UTC)
    for kind in ("dump", "base"):
        record_backup(BackupSeen(kind=kind, made_at=made_at, host="here", path="/b", size_bytes=7))
    backups = {each.kind: each for each in measure_database().backups}
    assert backups.keys() == {"dump", "base"}
    assert backups["dump"].made_timestamp_seconds == made_at.timestamp()
    assert (backups["base"].bytes, backups["base"].failed) == (7, False)


def test_the_room_on_disks_is_told_of_folders_that_are_yet_to_be_made(serving, settings, tmp_path):
    orchestrator, _ = serving
    told = Scraped(orchestrator.metrics_url)
    size = told("disk_size_bytes", folder="DATA_DIR")
    assert 0 < told("disk_free_bytes", folder="DATA_DIR") <= size
    settings.BACKUP_SCHEDULE = "15 3 * * *"
    settings.BACKUP_DIR = tmp_path / "to be" / "made"
    settings.DATA_DIR = Path("/proc/self/environ/no folder")
    [disk] = measure_disks()
    assert disk.folder == "BACKUP_DIR"
    assert 0 < disk.free_bytes <= disk.size_bytes
