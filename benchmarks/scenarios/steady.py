"""Memory over minutes: a mixed day at a steady rate, and how quickly the orchestrator grows."""

from collections.abc import Iterator, Sequence
from random import Random

import numpy as np

from benchmarks.bench import Bench
from benchmarks.driver import open_loop
from benchmarks.figures import Figure, figure_of
from benchmarks.processes import resident_megabytes, sampling
from benchmarks.scenarios.mixed_day import mixed_requests

_RATE = 1000
_PART_SECONDS = 30  # so many requests at once fit into the memory of the load generator
_WARM_UP_SHARE = 0.3  # caches fill, connections and threads are made
_SAMPLE_SECONDS = 1.0

Sample = tuple[float, float]  # seconds, megabytes


def measure_steady(bench: Bench) -> Iterator[Figure]:
    chance = Random(13)
    parts = max(2, round(bench.minutes * 60 / _PART_SECONDS))
    process_id = bench.served.process_id
    with sampling(lambda: resident_megabytes(process_id), _SAMPLE_SECONDS) as samples:
        for _ in range(parts):
            work, due = mixed_requests(bench, chance, _RATE * _PART_SECONDS, _RATE)
            timed = open_loop(bench.served.endpoint, work, due)
    yield figure_of(f"steady, last of {bench.minutes:g} minutes", timed)
    yield Figure("steady, memory at the end", "MB", value=samples[-1][1])
    yield Figure("steady, growth of memory", "MB an hour", value=growth_an_hour(samples))


def growth_an_hour(samples: Sequence[Sample]) -> float:
    """The slope of the line that fits best what comes after the warm-up."""
    after = np.array(samples[round(len(samples) * _WARM_UP_SHARE) :])
    slope, _ = np.polyfit(after[:, 0], after[:, 1], 1)
    return float(slope) * 3600
