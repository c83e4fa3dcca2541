"""Memory over minutes: a mixed day at a steady rate, and how quickly the orchestrator grows."""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from random import Random

import numpy as np

from benchmarks.bench import Bench
from benchmarks.driver import open_loop
from benchmarks.figures import Figure, figure_of
from benchmarks.scenarios.mixed_day import mixed_requests

_RATE = 1000
_PART_SECONDS = 30  # so many requests at once fit into the memory of the load generator
_WARM_UP_SHARE = 0.3  # caches fill, connections and threads are made
_SAMPLE_SECONDS = 1.0

Sample = tuple[float, float]  # seconds, megabytes


def measure_steady(bench: Bench) -> Iterator[Figure]:
    chance = Random(13)
    parts = max(2, round(bench.minutes * 60 / _PART_SECONDS))
    with _watching(bench.served.process_id) as samples:
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


@contextmanager
def _watching(process_id: int) -> Iterator[list[Sample]]:
    samples: list[Sample] = []
    done = threading.Event()

    def watch() -> None:
        while not done.wait(_SAMPLE_SECONDS):
            samples.append((time.monotonic(), resident_megabytes(process_id)))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield samples
    finally:
        done.set()
        thread.join()


def resident_megabytes(process_id: int) -> float:
    for line in Path(f"/proc/{process_id}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    raise SystemExit("The orchestrator has ended.")
