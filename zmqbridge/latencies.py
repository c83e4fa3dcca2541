"""How many requests of each action there were and how long they took, from receipt to reply."""

from bisect import bisect_left
from collections import defaultdict
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

# Upper bounds of the buckets, in seconds: from 0.1 ms, each 1.5 times the one before, to 80 s.
_BOUNDS = [0.0001 * 1.5**step for step in range(34)]


@dataclass(slots=True)
class _Histogram:
    count: int = 0
    errors: int = 0
    buckets: list[int] = field(default_factory=lambda: [0] * (len(_BOUNDS) + 1))

    def quantile_ms(self, share: float) -> float:
        """The upper bound of the bucket in which that share of the requests is reached."""
        reached, wanted = 0, share * self.count
        for bound, bucket in zip(_BOUNDS, self.buckets, strict=False):
            reached += bucket
            if reached >= wanted:
                return round(bound * 1000, 3)
        return round(_BOUNDS[-1] * 1000, 3)


class Latencies:
    def __init__(self) -> None:
        self._histograms: defaultdict[str, _Histogram] = defaultdict(_Histogram)
        self._lock = Lock()

    def note(self, action: str, seconds: float, failed: bool) -> None:
        bucket = bisect_left(_BOUNDS, seconds)
        with self._lock:
            histogram = self._histograms[action]
            histogram.count += 1
            histogram.errors += failed
            histogram.buckets[bucket] += 1

    def report(self) -> dict[str, dict[str, Any]]:
        with self._lock:
            return {
                action: {
                    "count": histogram.count,
                    "errors": histogram.errors,
                    "p50_ms": histogram.quantile_ms(0.5),
                    "p99_ms": histogram.quantile_ms(0.99),
                }
                for action, histogram in sorted(self._histograms.items())
            }
