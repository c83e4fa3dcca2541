from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from memories.importers.values import read_time
from memories.importers.zones import machine_zone, read_zone

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    "tz", ["Europe/Berlin", ":Europe/Berlin", "/usr/share/zoneinfo/Europe/Berlin"]
)
def test_the_variable_tz_counts_first(tz):
    assert machine_zone(tz) == BERLIN


def test_without_it_the_machine_has_a_zone():
    assert machine_zone("").utcoffset(datetime(2024, 1, 1)) is not None


@pytest.mark.parametrize("name", ["Mars/Olympus", "", "/etc/passwd", "../../etc/passwd", "a\0b"])
def test_what_is_no_zone_is_refused(name):
    with pytest.raises(ValueError, match="is no time zone"):
        read_zone(name)


@pytest.mark.parametrize(
    ("value", "moment"),
    [
        ("2024-03-31T01:59:59", datetime(2024, 3, 31, 0, 59, 59, tzinfo=UTC)),
        ("2024-03-31T03:00:00", datetime(2024, 3, 31, 1, tzinfo=UTC)),
        ("2024-07-01 12:00:00.123456", datetime(2024, 7, 1, 10, 0, 0, 123456, tzinfo=UTC)),
        ("2024-07-01T12:00:00Z", datetime(2024, 7, 1, 12, tzinfo=UTC)),
        ("2024-07-01T12:00:00-05:00", datetime(2024, 7, 1, 17, tzinfo=UTC)),
        ("2024-07-01", datetime(2024, 6, 30, 22, tzinfo=UTC)),
        (1719835200.25, datetime(2024, 7, 1, 12, 0, 0, 250000, tzinfo=UTC)),
        ("1719835200.25", datetime(2024, 7, 1, 12, 0, 0, 250000, tzinfo=UTC)),
        (0, datetime(1970, 1, 1, tzinfo=UTC)),
    ],
)
def test_times_are_read(value, moment):
    found = read_time(value, BERLIN)
    assert found == moment
    assert found.utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    "value",
    [
        *[None, "", " ", "soon", "24-1-1", "2024-02-30", b"\xff", [], "1" * 400],
        *["0001-01-01T00:00:00", "9999-12-31T23:59:59-14:00"],
        *[float("nan"), float("inf"), 1e300, -1e300],
    ],
)
def test_what_is_no_time(value):
    assert read_time(value, BERLIN) is None
