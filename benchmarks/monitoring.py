"""Prometheus, PostgreSQL's exporter and the dashboard, as they stand in deploy/.

For the pictures of benchmarks.dashboards, and for the tests of dashboard and alerts.
"""

import json
import os
import random
import shutil
import socket
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from benchmarks.serving import ROOT

DEPLOY = ROOT / "deploy"
SCRAPE_SECONDS = 1


@dataclass(frozen=True, slots=True)
class Panel:
    """`queries`: of Prometheus, with the form of their legend. `width`: of 24 parts of a page."""

    row: str
    title: str
    kind: str
    unit: str
    width: int
    queries: tuple[tuple[str, str], ...]


def panels() -> Iterator[Panel]:
    """Of every dashboard, in their order."""
    for path in sorted((DEPLOY / "grafana" / "dashboards").glob("*.json")):
        row = ""
        for told in json.loads(path.read_text())["panels"]:
            if told["type"] == "row":
                row = told["title"]
                continue
            yield Panel(
                row=row,
                title=told["title"],
                kind=told["type"],
                unit=told["fieldConfig"]["defaults"].get("unit", "short"),
                width=told["gridPos"]["w"],
                queries=tuple((each["expr"], each["legendFormat"]) for each in told["targets"]),
            )


def free_address() -> str:
    """Below the ports that the system gives to whoever asks for any: it is taken a while later."""
    while True:
        port = random.choice(range(20_000, 32_768))
        with suppress(OSError), socket.socket() as trial:
            trial.bind(("127.0.0.1", port))
            return f"127.0.0.1:{port}"


class Prometheus:
    """The configuration of deploy/, but with a scrape every second. `targets`: address by job."""

    def __init__(self, program: str, directory: Path, targets: Mapping[str, str]) -> None:
        config = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text())
        every = f"{SCRAPE_SECONDS}s"
        config["global"] = {"scrape_interval": every, "evaluation_interval": every}
        config["rule_files"] = [str(DEPLOY / "prometheus" / "alerts.yml")]
        for scrape in config["scrape_configs"]:
            scrape["static_configs"] = [{"targets": [targets[scrape["job_name"]]]}]
        file = directory / "prometheus.yml"
        file.write_text(yaml.safe_dump(config))
        self._address = free_address()
        with (directory / "prometheus.log").open("wb") as log:
            self._process = subprocess.Popen(
                [
                    program,
                    f"--config.file={file}",
                    f"--storage.tsdb.path={directory / 'data'}",
                    f"--web.listen-address={self._address}",
                ],
                stderr=log,
            )

    def get(self, path: str, **parameters: Any) -> Any:
        url = f"http://{self._address}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        with urllib.request.urlopen(url, timeout=20) as reply:
            return json.load(reply)["data"]

    def ask(self, query: str) -> Any:
        return self.get("query", query=query)["result"]

    def ask_range(self, query: str, since: float, until: float) -> list[dict[str, Any]]:
        """At the steps that Grafana takes where a panel has more dots than the time has scrapes;
        `$__rate_interval` is then the longer of four scrapes and a step with a scrape."""
        asked = query.replace("$__rate_interval", f"{4 * SCRAPE_SECONDS}s")
        step = SCRAPE_SECONDS
        found = self.get("query_range", query=asked, start=since, end=until, step=step)["result"]
        return list(found)

    def is_scraping(self) -> bool:
        try:
            return bool(self.ask('sum_over_time(up{job="memories"}[1m]) >= 8'))
        except OSError:
            return False  # it is still starting

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(30)


@contextmanager
def exporting(program: str, dsn: str) -> Iterator[str]:
    """PostgreSQL's own metrics; yields their address."""
    address = free_address()
    process = subprocess.Popen(
        [program, f"--web.listen-address={address}"],
        env={**os.environ, "DATA_SOURCE_NAME": dsn},
        stderr=subprocess.DEVNULL,
    )
    try:
        yield address
    finally:
        process.terminate()
        process.wait(30)


def needed(name: str) -> str:
    """The path of a program that has to be there."""
    if path := shutil.which(name):
        return path
    raise SystemExit(f"There is no {name}: install Debian's package prometheus.")
