"""Prometheus' own programs, the alerts, and the dashboards, for the tests of both."""

import re
import shutil

import yaml

from benchmarks.monitoring import DEPLOY
from tests.needs import need

ALERTS_FILE = DEPLOY / "prometheus" / "alerts.yml"
ALERTS = yaml.safe_load(ALERTS_FILE.read_text())["groups"][0]["rules"]


def program(name):
    path = shutil.which(name)
    why = f"There is no {name}: install prometheus and prometheus-postgres-exporter."
    need(path, "REQUIRE_PROMETHEUS", why)
    return path


def metrics_named_in(text):
    return set(re.findall(r"\b(?:memories|process|pg)_\w+", text))


def forwarding_query():
    """What Grafana asks Prometheus for, to pass on the alerts that fire."""
    file = DEPLOY / "grafana" / "provisioning" / "alerting" / "forwarding.yml"
    [rule] = yaml.safe_load(file.read_text())["groups"][0]["rules"]
    return rule["data"][0]["model"]["expr"]
