"""What was measured: a figure for each scenario and round, and the medians over the rounds."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np

from benchmarks.driver import Timed


@dataclass(frozen=True, slots=True)
class Figure:
    """One measurement. `rate` is in `unit` a second; `percentiles_ms` has the 0th to the 100th.

    A figure that is no latency (memory, seconds) has only a `value` in `unit`. `failure`: how many
    requests failed, with the first replies; such a figure is worth nothing.
    """

    name: str
    unit: str = "requests"
    count: int = 0
    rate: float | None = None
    percentiles_ms: tuple[float, ...] = ()
    value: float | None = None
    in_flight: int | None = None
    failure: str = ""

    def measure(self, name: str) -> float:
        """`rate`, `value`, or `p50` and the like in milliseconds."""
        number = self.percentiles_ms[int(name[1:])] if name[0] == "p" else getattr(self, name)
        return float(number)


def figure_of(
    name: str, timed: Timed, unit: str = "requests", each: int = 1, in_flight: int | None = None
) -> Figure:
    """`each`: how many of `unit` a request stands for."""
    seconds = timed.all_seconds()
    grid = np.percentile(np.array(seconds) * 1000, np.arange(101))
    return Figure(
        name=name,
        unit=unit,
        count=len(seconds),
        rate=timed.rate() * each,
        percentiles_ms=tuple(round(float(each_ms), 4) for each_ms in grid),
        in_flight=in_flight,
        failure=_failure(timed),
    )


def middle(rounds: Sequence[Figure]) -> Figure:
    """The median of every number over the rounds."""
    first = rounds[0]
    return Figure(
        name=first.name,
        unit=first.unit,
        count=first.count,
        rate=_median(each.rate for each in rounds),
        percentiles_ms=tuple(
            median(column) for column in zip(*(r.percentiles_ms for r in rounds), strict=True)
        ),
        value=_median(each.value for each in rounds),
        in_flight=first.in_flight,
        failure=next((each.failure for each in rounds if each.failure), ""),
    )


def _failure(timed: Timed) -> str:
    if not timed.failed:
        return ""
    replies = b"\n".join(timed.failures).decode(errors="replace")
    return f"{timed.failed} requests failed or had no answer in time\n{replies}".strip()


def _median(numbers: Iterable[float | None]) -> float | None:
    known = [number for number in numbers if number is not None]
    return median(known) if known else None
