"""The dashboard as pictures: a page for each of its rows, filled by a real load.

    python -m benchmarks.dashboards FOLDER --seconds 90

It takes Debian's prometheus and prometheus-postgres-exporter. Grafana draws otherwise: what can be
judged here is what the panels show, not how they look.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import groupby
from pathlib import Path
from threading import Event, Thread
from typing import Any

import matplotlib
import numpy as np
import zmq
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.monitoring import Panel, Prometheus, exporting, free_address, needed, panels
from benchmarks.serving import ROOT, Served, serving
from benchmarks.workload import Requests, Talk
from zmqbridge.client import Client, ClientError

_CLIENTS = 4
_FLOOD = 2_000
_COLUMNS = 3
_LONGEST_LEGEND = 8
# How much of what a panel's unit is drawn as one.
_SCALES = {
    "bytes": (1 << 20, "MB"),
    "s": (1, "s"),
    "percentunit": (0.01, "%"),
    "reqps": (1, "a second"),
    "cps": (1, "a second"),
    "ops": (1, "a second"),
}

Series = tuple[str, list[float], list[float]]  # legend, seconds, values


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seconds", type=float, default=90)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    programs = needed("prometheus"), needed("prometheus-postgres-exporter")
    address = free_address()
    with serving({"METRICS_BIND": address, "LANE_CAPACITY": "200"}) as served:
        _back_up(served)
        with (
            tempfile.TemporaryDirectory() as directory,
            exporting(programs[1], served.database) as exporter,
            _scraping(programs[0], Path(directory), address, exporter) as prometheus,
        ):
            since = time.time()
            _load(served, options.seconds)
            for path, empty in draw_pages(prometheus, since, time.time(), options.folder):
                told = f"; empty: {', '.join(empty)}" if empty else ""
                sys.stdout.write(f"{path}{told}\n")


def _back_up(served: Served) -> None:
    subprocess.run(
        [sys.executable, "manage.py", "backup"],
        cwd=ROOT,
        env=dict(served.environment),
        check=True,
        stdout=subprocess.DEVNULL,
    )


@contextmanager
def _scraping(program: str, folder: Path, address: str, exporter: str) -> Iterator[Prometheus]:
    prometheus = Prometheus(program, folder, {"memories": address, "postgres": exporter})
    try:
        yield prometheus
    finally:
        prometheus.close()


def _load(served: Served, seconds: float) -> None:
    """Assistants that talk, faster and slower by turns, and a flood in the middle."""
    ending = Event()
    clients = [
        Thread(target=_talk, args=(served.endpoint, number, ending)) for number in range(_CLIENTS)
    ]
    for client in clients:
        client.start()
    ending.wait(seconds / 2)
    _flood(served.endpoint)
    ending.wait(seconds / 2)
    ending.set()
    for client in clients:
        client.join()


def _talk(endpoint: str, number: int, ending: Event) -> None:
    talk = Talk(seed=number)
    pause_seconds = 0.02 * (number + 1)
    with Client(endpoint, session_id=f"assistant-{number}") as client:
        client.create_session(f"user-{number}")
        while not ending.wait(pause_seconds):
            stored = client.create(talk.text(), tags=["talk"])
            for _ in range(3):
                client.read(stored.memory_id)
            client.update(stored.memory_id, content={"text": talk.text()})
            client.batch_read(limit=10)
            client.search(talk.query(), limit=5)
            client.context(talk.query())
            with suppress(ClientError):
                client.create("too important", priority=99)


def _flood(endpoint: str) -> None:
    """More at once than the lane of writes takes: some are refused."""
    creates = Requests().creates(Talk(seed=0), _FLOOD, (f"flood-{each}" for each in range(10)))
    with zmq.Context() as context, context.socket(zmq.DEALER) as peer:
        peer.linger = 0
        peer.connect(endpoint)
        for create in creates:
            peer.send(create.body)
        for _ in creates:
            peer.recv()


def draw_pages(
    prometheus: Prometheus, since: float, until: float, folder: Path
) -> Iterator[tuple[Path, list[str]]]:
    """A PNG for each row; yields its path and the titles of panels that have nothing to show."""
    for row, of_row in groupby(panels(), key=lambda panel: panel.row):
        drawn = [(panel, _ask(prometheus, panel, since, until)) for panel in of_row]
        path = folder / f"{row.lower().replace(' ', '-')}.png"
        _draw_page(row, drawn, path)
        yield path, [panel.title for panel, series in drawn if not series]


def _ask(prometheus: Prometheus, panel: Panel, since: float, until: float) -> list[Series]:
    found = []
    for query, legend in panel.queries:
        for series in prometheus.ask_range(query, since, until):
            times = [seconds - since for seconds, _ in series["values"]]
            values = [float(value) for _, value in series["values"]]
            found.append((_legend(legend, series["metric"]), times, values))
    return found


def _legend(form: str, labels: dict[str, Any]) -> str:
    if form == "__auto":
        return labels.get("alertname", "")
    for name, value in labels.items():
        form = form.replace(f"{{{{{name}}}}}", value)
    return form


def _draw_page(row: str, drawn: Sequence[tuple[Panel, list[Series]]], path: Path) -> None:
    rows = -(-len(drawn) // _COLUMNS)
    figure = Figure(figsize=(5 * _COLUMNS, 3 * rows + 0.5), layout="constrained")
    figure.suptitle(row, fontsize=13)
    grid = figure.subplots(rows, _COLUMNS, squeeze=False)
    for axes in grid.flat[len(drawn) :]:
        axes.axis("off")
    for axes, (panel, series) in zip(grid.flat, drawn, strict=False):
        axes.set_title(panel.title, fontsize=10)
        _draw(axes, panel, series)
    figure.savefig(path, dpi=80)


def _draw(axes: Axes, panel: Panel, series: list[Series]) -> None:
    if not series:
        axes.text(0.5, 0.5, "No data", ha="center", transform=axes.transAxes)
        return
    if panel.kind == "heatmap":
        _draw_heatmap(axes, series)
        return
    if panel.kind in ("stat", "table"):
        _write(axes, panel, series)
        return
    factor, unit = _SCALES.get(panel.unit, (1, ""))
    for legend, times, values in series:
        axes.plot(times, [value / factor for value in values], label=legend, linewidth=1)
    axes.set_ylabel(unit, fontsize=8)
    lowest, highest = axes.get_ylim()
    axes.set_ylim(min(lowest, -0.03 * highest), 1.05 * highest)  # a line at 0 is seen as one
    axes.tick_params(labelsize=7)
    if any(legend for legend, _, _ in series):
        axes.legend(fontsize=6, ncols=2 if len(series) > _LONGEST_LEGEND else 1)


def _write(axes: Axes, panel: Panel, series: list[Series]) -> None:
    """The latest value, or whose there is one."""
    factor, unit = _SCALES.get(panel.unit, (1, ""))
    said = [legend or f"{values[-1] / factor:g} {unit}" for legend, _, values in series]
    axes.text(0.5, 0.5, "\n".join(said), ha="center", fontsize=16, transform=axes.transAxes)
    axes.axis("off")


def _draw_heatmap(axes: Axes, series: list[Series]) -> None:
    """Buckets hold what is below them too: each less the one before."""
    ordered = sorted(
        ((float(legend), times, values) for legend, times, values in series if legend != "+Inf"),
        key=lambda each: each[0],
    )
    shortest = min(len(values) for _, _, values in ordered)
    below = np.array([values[-shortest:] for _, _, values in ordered])
    counts = np.diff(below, axis=0, prepend=0)
    bounds = [bound for bound, _, _ in ordered]
    axes.pcolormesh(ordered[0][1][-shortest:], bounds, np.log1p(counts), shading="nearest")
    axes.set_yscale("log")
    axes.tick_params(labelsize=7)


if __name__ == "__main__":
    matplotlib.use("Agg")
    os.chdir(ROOT)
    main()
