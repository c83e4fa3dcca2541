"""A real Prometheus scrapes an orchestrator under load, and gets the queries of the dashboard."""

import json
import subprocess
import urllib.parse
import urllib.request
from contextlib import suppress
from threading import Event, Thread

import pytest
import yaml

from tests.deploy.monitoring import (
    DEPLOY,
    dashboard_queries,
    forwarding_query,
    metrics_named_in,
    program,
)
from tests.waiting import free_port
from zmqbridge.client import Client, ClientError

from .processes import wait_until
from .wire import new_name

# What a day without trouble leaves empty: refusals and faults have no samples until there is one.
EMPTY_WHEN_WELL = {"Alerts", "Since the last backup", "Age of backups"}


def free_address():
    return f"127.0.0.1:{free_port()}"


class Prometheus:
    """The configuration of deploy/, with addresses of this test and a scrape every second."""

    def __init__(self, directory, **targets):
        config = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text())
        config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
        config["rule_files"] = [str(DEPLOY / "prometheus" / "alerts.yml")]
        for scrape in config["scrape_configs"]:
            scrape["static_configs"] = [{"targets": [targets[scrape["job_name"]]]}]
        file = directory / "prometheus.yml"
        file.write_text(yaml.safe_dump(config))
        self._address = free_address()
        self._log = (directory / "prometheus.log").open("wb")
        self._process = subprocess.Popen(
            [
                program("prometheus"),
                f"--config.file={file}",
                f"--storage.tsdb.path={directory / 'data'}",
                f"--web.listen-address={self._address}",
            ],
            stderr=self._log,
        )

    def get(self, path, **parameters):
        url = f"http://{self._address}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        with urllib.request.urlopen(url, timeout=20) as reply:
            return json.load(reply)["data"]

    def ask(self, query):
        return self.get("query", query=query)["result"]

    def is_scraping(self):
        try:
            return self.ask('sum_over_time(up{job="memories"}[1m]) >= 8')
        except OSError:
            return False  # it is still starting

    def close(self):
        self._process.terminate()
        self._process.wait(30)
        self._log.close()


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


@pytest.fixture
def load(start, tmp_path):
    """An orchestrator's metrics address, while clients use it."""
    address = free_address()
    orchestrator = start(METRICS_BIND=address)
    stop = Event()

    def work():
        with Client(orchestrator.endpoint, session_id=new_name("s")) as client:
            while not stop.wait(0.02):
                use_everything(client)

    worker = Thread(target=work)
    worker.start()
    yield address
    stop.set()
    worker.join()


@pytest.fixture
def exporter(server, tmp_path):
    """PostgreSQL's own metrics."""
    address = free_address()
    host = server.address.host
    process = subprocess.Popen(
        [
            program("prometheus-postgres-exporter"),
            f"--web.listen-address={address}",
        ],
        env={
            "DATA_SOURCE_NAME": f"host={host} user={server.address.user} "
            f"password={server.address.password} dbname=memories sslmode=disable"
        },
        stderr=subprocess.DEVNULL,
    )
    yield address
    process.terminate()
    process.wait(30)


@pytest.fixture
def prometheus(load, exporter, tmp_path):
    prometheus = Prometheus(tmp_path, memories=load, postgres=exporter)
    try:
        wait_until(prometheus.is_scraping, seconds=60)
        yield prometheus
    finally:
        prometheus.close()


def test_every_panel_of_the_dashboard_is_filled(prometheus):
    answers = {(panel, query): prometheus.ask(query) for panel, query in dashboard_queries()}
    empty = {panel for (panel, _), answer in answers.items() if not answer}
    assert empty <= EMPTY_WHEN_WELL
    values = [
        sample["value"][1]
        for (panel, _), answer in answers.items()
        for sample in answer
        if panel == "Reads that the cache answered"
    ]
    assert all(0 < float(value) <= 1 for value in values)
    assert prometheus.ask(forwarding_query()) == []
    rules = prometheus.get("rules")["groups"][0]["rules"]
    assert {rule["name"]: rule.get("lastError") for rule in rules if rule["health"] != "ok"} == {}
    assert [alert["labels"]["alertname"] for alert in prometheus.get("alerts")["alerts"]
            if alert["state"] == "firing"] == []  # fmt: skip


def test_dashboard_and_alerts_name_metrics_that_exist(prometheus):
    exist = set(prometheus.get("label/__name__/values"))
    asked = {query for _, query in dashboard_queries()}
    alerts = (DEPLOY / "prometheus" / "alerts.yml").read_text()
    named = metrics_named_in(" ".join(asked)) | metrics_named_in(alerts)
    assert named - exist - {"pg_stat_activity"} == set()
