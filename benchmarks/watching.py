"""What it costs to be watched: metrics at a create, a scrape, the lines of the log.

    python -m benchmarks.watching --rounds 5

Prints medians of the rounds. The orchestrators stand side by side on one database and are asked by
turns, so that a busy machine is busy for all of them.
"""

import argparse
import os
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from benchmarks.driver import closed_loop
from benchmarks.monitoring import free_address
from benchmarks.serving import ROOT, Served, beside, serving
from benchmarks.workload import Requests, Talk

_CREATES = 2_000
_IN_FLIGHT = 64
_SCRAPES = 30
_LOGGED = 500
_QUIET = {"EMBEDDER": "none", "LOG_LEVEL": "WARNING"}
_TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")

requests, talk = Requests(), Talk(seed=11)


class Create(NamedTuple):
    """A second, and processor time of the orchestrator for each."""

    rate: float
    microseconds: float


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    console = Console()
    with serving(_QUIET) as off:
        console.print(_table_of_creates(off, rounds))
        console.print(_table_of_logs(off))


def _table_of_creates(off: Served, rounds: int) -> Table:
    addresses = free_address(), free_address()
    table = Table("metrics", "creates a second", "processor µs a create", "scrape ms", "its bytes")
    with ExitStack() as stack:
        modes = {"off": off}
        for name, address in zip(("on", "scraped each second"), addresses, strict=True):
            modes[name] = stack.enter_context(beside(off, {"METRICS_BIND": address}))
        stack.enter_context(_scraping(addresses[1]))
        seen: dict[str, list[Create]] = {name: [] for name in modes}
        for _ in range(rounds):
            for name, served in modes.items():
                seen[name].append(_create(served))
        told = _scrape(addresses[0])
    for name, creates in seen.items():
        rate, cost = median(each.rate for each in creates), median(c.microseconds for c in creates)
        scrape = told if name == "on" else ("", "")
        table.add_row(name, f"{rate:.0f}", f"{cost:.1f}", *scrape)
    return table


def _create(served: Served) -> Create:
    creates = requests.creates(talk, _CREATES, ["watched"])
    before = _processor_seconds(served.process_id)
    timed = closed_loop(served.endpoint, [creates], _IN_FLIGHT)
    spent = _processor_seconds(served.process_id) - before
    return Create(timed.rate(), spent / _CREATES * 1e6)


def _processor_seconds(process_id: int) -> float:
    fields = Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_A_SECOND


def _scrape(address: str) -> tuple[str, str]:
    """Its milliseconds, in the middle, and its bytes."""
    seconds = []
    for _ in range(_SCRAPES):
        began = time.perf_counter()
        with urllib.request.urlopen(f"http://{address}/metrics", timeout=10) as reply:
            size = len(reply.read())
        seconds.append(time.perf_counter() - began)
    return f"{median(seconds) * 1000:.1f}", str(size)


@contextmanager
def _scraping(address: str) -> Iterator[None]:
    """Each second, as a Prometheus in a hurry does."""
    ending = threading.Event()

    def scrape() -> None:
        while not ending.wait(1):
            with urllib.request.urlopen(f"http://{address}/metrics", timeout=10) as reply:
                reply.read()

    thread = threading.Thread(target=scrape)
    thread.start()
    try:
        yield
    finally:
        ending.set()
        thread.join()


def _table_of_logs(off: Served) -> Table:
    table = Table("LOG_LEVEL", "LOG_FORMAT", "bytes a request")
    for level in ("INFO", "DEBUG"):
        for form in ("readable", "json"):
            size = _log_bytes(off, {"LOG_LEVEL": level, "LOG_FORMAT": form})
            table.add_row(level, form, f"{size / _LOGGED:.0f}")
    return table


def _log_bytes(off: Served, settings: Mapping[str, str]) -> int:
    """What creates add to the log."""
    with tempfile.TemporaryFile() as log, beside(off, settings, log=log) as served:
        creates = requests.creates(talk, _LOGGED, ["logged"])
        before = os.fstat(log.fileno()).st_size
        closed_loop(served.endpoint, [creates])
        return os.fstat(log.fileno()).st_size - before


if __name__ == "__main__":
    os.chdir(ROOT)
    main()
