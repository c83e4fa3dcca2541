"""Prometheus' own programs, the alerts, and the dashboards, for the tests of both."""

import json
import os
import re
import shutil
from pathlib import Path

import pytest
import yaml

DEPLOY = Path(__file__).parents[2] / "deploy"
ALERTS_FILE = DEPLOY / "prometheus" / "alerts.yml"
ALERTS = yaml.safe_load(ALERTS_FILE.read_text())["groups"][0]["rules"]


def program(name):
    """Its path. Without it the test is skipped, but not in CI: .ci/run installs it."""
    path = shutil.which(name)
    if path is None and "REQUIRE_PROMETHEUS" not in os.environ:
        pytest.skip(f"There is no {name}: install Debian's package prometheus.")
    assert path, name
    return path


def dashboard_queries():
    """(panel, query) of every panel; `$__rate_interval` is Grafana's, so a time stands in."""
    for path in sorted((DEPLOY / "grafana" / "dashboards").glob("*.json")):
        for panel in json.loads(path.read_text())["panels"]:
            for target in panel.get("targets", []):
                yield panel["title"], target["expr"].replace("$__rate_interval", "10s")


def metrics_named_in(text):
    return set(re.findall(r"\b(?:memories|process|pg)_\w+", text))


def forwarding_query():
    """What Grafana asks Prometheus for, to pass on the alerts that fire."""
    file = DEPLOY / "grafana" / "provisioning" / "alerting" / "forwarding.yml"
    [rule] = yaml.safe_load(file.read_text())["groups"][0]["rules"]
    return rule["data"][0]["model"]["expr"]
