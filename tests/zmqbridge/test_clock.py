from datetime import UTC, datetime, timedelta
from itertools import pairwise

from zmqbridge.clock import ReceiptClock


def test_times_strictly_increase_by_what_was_kept_free():
    clock = ReceiptClock()
    ticks = [clock.tick(width_us) for width_us in (1, 1, 1000, 1, 1)]
    gaps = [later - earlier for earlier, later in pairwise(ticks)]
    assert all(gap >= timedelta(microseconds=1) for gap in gaps)
    assert gaps[2] >= timedelta(microseconds=1000)
    assert abs(datetime.now(UTC) - ticks[-1]) < timedelta(seconds=5)
