import json
import logging
import logging.config
import os
from pathlib import Path

import pytest

from memories.logs import LineHandler, RareLines, log_settings


@pytest.fixture
def told_as_json():
    """A logger whose lines go to standard error as JSON."""
    configurator = logging.config.DictConfigurator(log_settings("INFO", "json"))
    settings = configurator.config
    formatter = configurator.configure_formatter(settings["formatters"]["json"])
    handler = LineHandler()
    handler.setFormatter(formatter)
    logger = logging.Logger("kitchen")
    logger.addHandler(handler)
    return logger


def test_json_is_an_object_a_line_whatever_is_told(told_as_json, capfd):
    try:
        raise ValueError("two\nlines")
    except ValueError:
        told_as_json.exception("Fault\n%s", "\ud800 é", extra={"reference": "7f"})
    told_as_json.info("done")
    fault, done = map(json.loads, capfd.readouterr().err.splitlines())
    assert (fault["level"], fault["logger"], fault["reference"]) == ("ERROR", "kitchen", "7f")
    assert fault["message"] == "Fault\n\ud800 é"
    assert "ValueError: two\nlines" in fault["exc_info"]
    assert done["message"] == "done"
    assert done["time"].endswith("+00:00")


def test_a_line_that_cannot_be_written_is_counted(told_as_json, monkeypatch):
    lost = LineHandler.lines_lost
    with Path(os.devnull).open() as unwritable:
        monkeypatch.setattr("memories.logs._STANDARD_ERROR", unwritable.fileno())
        told_as_json.error("nobody hears this")
    assert LineHandler.lines_lost == lost + 1


def test_what_repeats_for_days_is_told_once_a_minute():
    rare = RareLines()
    passed = []
    for second in range(0, 121, 5):
        record = logging.makeLogRecord({"created": 1000.0 + second})
        passed += [second] if rare.filter(record) else []
    assert passed == [0, 60, 120]
