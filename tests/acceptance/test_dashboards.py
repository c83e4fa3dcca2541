"""A real Prometheus scrapes an orchestrator under load, and gets the queries of the dashboard."""

import math
import time
from contextlib import suppress
from threading import Event, Thread

import pytest

from benchmarks.monitoring import DEPLOY, Prometheus, exporting, free_address, panels
from tests.deploy.monitoring import forwarding_query, metrics_named_in, program
from zmqbridge.client import Client, ClientError

from .processes import run_command, wait_until
from .wire import Peer, create, new_name

ALERTS = DEPLOY / "prometheus" / "alerts.yml"
FLOOD = 500


def use_everything(client):
    """One round of what assistants do, with an error a client makes."""
    stored = client.create("Minou the cat sleeps on the oven.", tags=["pets"])
    for _ in range(2):
        client.read(stored.memory_id)
    client.update(stored.memory_id, content={"text": "Minou sleeps on the sofa."})
    client.search("where does the cat sleep")
    client.batch_read(limit=10)
    client.summarize()
    with suppress(ClientError):
        client.create("too important", priority=99)


@pytest.fixture(scope="module")
def load(server, start_more, tmp_path_factory):
    """The endpoint and the metrics' address of an orchestrator, while a client uses it."""
    kept = {**server.settings, "BACKUP_DIR": tmp_path_factory.mktemp("backups")}
    for command in ("prepare_database", "backup"):
        done = run_command(command, **kept)
        assert done.returncode == 0, done.stderr
    address = free_address()
    orchestrator = start_more(METRICS_BIND=address, LANE_CAPACITY=20)
    stop = Event()

    def work():
        with Client(orchestrator.endpoint, session_id=new_name("s")) as client:
            while not stop.wait(0.02):
                use_everything(client)

    worker = Thread(target=work)
    worker.start()
    yield orchestrator.endpoint, address
    stop.set()
    worker.join()


@pytest.fixture(scope="module")
def prometheus(server, load, tmp_path_factory):
    host = server.address.host
    dsn = (
        f"host={host} user={server.address.user} password={server.address.password} "
        "dbname=memories sslmode=disable"
    )
    with exporting(program("prometheus-postgres-exporter"), dsn) as exporter:
        targets = {"memories": load[1], "postgres": exporter}
        folder = tmp_path_factory.mktemp("prometheus")
        prometheus = Prometheus(program("prometheus"), folder, targets)
        try:
            wait_until(prometheus.is_scraping, seconds=60)
            yield prometheus
        finally:
            prometheus.close()


def firing(prometheus):
    alerts = prometheus.get("alerts")["alerts"]
    return {each["labels"]["alertname"] for each in alerts if each["state"] == "firing"}


def flood(endpoint):
    """More at once than a lane takes; some are refused."""
    peer = Peer(endpoint)
    session = new_name("s")
    peer.send(*(create(session, str(number)) for number in range(FLOOD)))
    peer.collect(FLOOD)
    peer.close()


def has_a_number(series):
    return any(not math.isnan(float(value)) for each in series for _, value in each["values"])


def test_every_panel_of_the_dashboard_is_filled(prometheus, load):
    began = time.time()
    assert firing(prometheus) == set()
    assert prometheus.ask(forwarding_query()) == []
    flood(load[0])
    wait_until(lambda: firing(prometheus) == {"MemoriesLaneRefuses"}, seconds=30)
    assert prometheus.ask(forwarding_query())
    alerts = 'ALERTS{alertstate="firing"}'
    wait_until(lambda: has_a_number(prometheus.ask_range(alerts, began, time.time())))
    refused = 'sum(rate(memories_requests_total{outcome="rate_limit_exceeded"}[10s])) > 0'
    wait_until(lambda: prometheus.ask(refused))
    answers = {
        panel.title: [
            series
            for query, _ in panel.queries
            for series in prometheus.ask_range(query, began, time.time())
        ]
        for panel in panels()
    }
    assert {title for title, series in answers.items() if not has_a_number(series)} == set()
    [cached] = answers["Reads that the cache answered"]
    assert all(0 < float(value) <= 1 for _, value in cached["values"])
    rules = prometheus.get("rules")["groups"][0]["rules"]
    assert {rule["name"]: rule.get("lastError") for rule in rules if rule["health"] != "ok"} == {}


def test_dashboard_and_alerts_name_metrics_that_exist(prometheus):
    exist = set(prometheus.get("label/__name__/values"))
    asked = " ".join(query for panel in panels() for query, _ in panel.queries)
    named = metrics_named_in(asked) | metrics_named_in(ALERTS.read_text())
    assert named - exist - {"pg_stat_activity"} == set()


def test_the_dashboard_is_drawn(prometheus, tmp_path):
    dashboards = pytest.importorskip("benchmarks.dashboards", reason="matplotlib is not here")
    pages = dashboards.draw_pages(prometheus, time.time() - 8, time.time(), tmp_path)
    drawn = [path for path, _ in pages]
    assert len(drawn) == len({panel.row for panel in panels()})
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in drawn)
