"""What the system counts of a process: processor time, of each thread too, and memory."""

import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

_TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")


def resident_megabytes(process_id: int) -> float:
    for line in Path(f"/proc/{process_id}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    raise SystemExit("The orchestrator has ended.")


def cpu_seconds(process_id: int) -> float:
    return _seconds(Path(f"/proc/{process_id}/stat"))


def cpu_seconds_of_threads(process_id: int) -> dict[str, float]:
    """By the threads' ids."""
    found = {}
    for task in Path(f"/proc/{process_id}/task").iterdir():
        try:
            found[task.name] = _seconds(task / "stat")
        except (FileNotFoundError, ProcessLookupError):  # it has ended meanwhile
            continue
    return found


@contextmanager
def sampling(look: Callable[[], T], seconds: float) -> Iterator[list[tuple[float, T]]]:
    """Looks again and again, in a thread; each sample with its time.perf_counter(), which all
    processes share."""
    samples = [(time.perf_counter(), look())]
    done = threading.Event()

    def watch() -> None:
        while not done.wait(seconds):
            samples.append((time.perf_counter(), look()))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield samples
    finally:
        done.set()
        thread.join()


def nearest(samples: Sequence[tuple[float, T]], at: float) -> T:
    """What was seen closest to this time."""
    return min(samples, key=lambda sample: abs(sample[0] - at))[1]


def _seconds(stat: Path) -> float:
    """Its own time and the system's for it."""
    fields = stat.read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_A_SECOND
