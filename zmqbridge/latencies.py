"""How many requests of each action there were, how they ended and how long they took, from receipt
to reply. The server's thread notes; `stats` and the metrics read."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

# Upper bounds of the buckets, in seconds: from 0.1 ms, each 1.5 times the one before, to 65 s.
BOUNDS_SECONDS = tuple(0.0001 * 1.5**step for step in range(34))


@dataclass(frozen=True, slots=True)
class ActionLatencies:
    """`errors` counts by code; `buckets` by BOUNDS_SECONDS, and at the end what is beyond."""

    count: int
    seconds: float
    errors: Mapping[str, int]
    buckets: tuple[int, ...]

    def quantile_ms(self, share: float) -> float:
        """The upper bound of the bucket in which that share of the requests is reached."""
        reached, wanted = 0, share * self.count
        for bound, bucket in zip(BOUNDS_SECONDS, self.buckets, strict=False):
            reached += bucket
            if reached >= wanted:
                return round(bound * 1000, 3)
        return round(BOUNDS_SECONDS[-1] * 1000, 3)


@dataclass(slots=True)
class _Histogram:
    count: int = 0
    seconds: float = 0.0
    errors: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    buckets: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS_SECONDS) + 1))


class Latencies:
    def __init__(self) -> None:
        self._histograms: defaultdict[str, _Histogram] = defaultdict(_Histogram)
        self._lock = Lock()

    def note(self, action: str, seconds: float, error: str = "") -> None:
        """`error`: the code of the reply, "" where it is none."""
        bucket = bisect_left(BOUNDS_SECONDS, seconds)
        with self._lock:
            histogram = self._histograms[action]
            histogram.count += 1
            histogram.seconds += seconds
            histogram.buckets[bucket] += 1
            if error:
                histogram.errors[error] += 1

    def by_action(self) -> dict[str, ActionLatencies]:
        with self._lock:
            return {
                action: ActionLatencies(
                    histogram.count,
                    histogram.seconds,
                    dict(histogram.errors),
                    tuple(histogram.buckets),
                )
                for action, histogram in sorted(self._histograms.items())
            }

    def report(self) -> dict[str, dict[str, Any]]:
        return {
            action: {
                "count": latencies.count,
                "errors": sum(latencies.errors.values()),
                "p50_ms": latencies.quantile_ms(0.5),
                "p99_ms": latencies.quantile_ms(0.99),
            }
            for action, latencies in self.by_action().items()
        }
