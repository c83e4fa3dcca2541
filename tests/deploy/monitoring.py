"""Prometheus' own programs, the alerts, and the dashboards, for the tests of both."""

import os
import re
import shutil

import pytest
import yaml

from benchmarks.monitoring import DEPLOY

ALERTS_FILE = DEPLOY / "prometheus" / "alerts.yml"
ALERTS = yaml.safe_load(ALERTS_FILE.read_text())["groups"][0]["rules"]


def program(name):
    """Its path. Without it the test is skipped, but not in CI: .ci/run installs it."""
    path = shutil.which(name)
    if path is None and "REQUIRE_PROMETHEUS" not in os.environ:
        pytest.skip(f"There is no {name}: install Debian's package prometheus.")
    assert path, name
    return path


def metrics_named_in(text):
    return set(re.findall(r"\b(?:memories|process|pg)_\w+", text))


def forwarding_query():
    """What Grafana asks Prometheus for, to pass on the alerts that fire."""
    file = DEPLOY / "grafana" / "provisioning" / "alerting" / "forwarding.yml"
    [rule] = yaml.safe_load(file.read_text())["groups"][0]["rules"]
    return rule["data"][0]["model"]["expr"]
