import pytest

from zmqbridge.latencies import Latencies


@pytest.mark.parametrize("seconds", [0.00012, 0.001, 0.05, 2.0])
def test_quantiles_are_the_bound_at_most_half_as_much_above(seconds):
    latencies = Latencies()
    for _ in range(98):
        latencies.note("read", seconds)
    latencies.note("read", 60.0, "storage_error")
    latencies.note("read", 60.0, "internal_error")
    report = latencies.report()["read"]
    assert (report["count"], report["errors"]) == (100, 2)
    assert seconds * 1000 <= report["p50_ms"] <= seconds * 1500
    assert 60_000 <= report["p99_ms"] <= 90_000


def test_what_is_beyond_all_bounds_is_counted():
    latencies = Latencies()
    latencies.note("read", 1e6)
    latencies.note("read", 0.0)
    assert latencies.report()["read"]["p50_ms"] == pytest.approx(0.1)
    assert latencies.report()["read"]["p99_ms"] > 50_000
