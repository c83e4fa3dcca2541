"""The metrics: what the orchestrator counts anyway, put into Prometheus' words at each scrape.

Nothing here is called by a request. The orchestrator gives the sources, the endpoint asks.
docs/metrics.md is compared with these names and texts by a test.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from memories.logs import LineHandler
from memories.services.disks import Disk
from memories.services.embedding.embedder_use import uses
from memories.services.measures import Measures
from memoryproject import VERSION
from zmqbridge.accesses import Accesses
from zmqbridge.cache import ReadCache
from zmqbridge.handlers import LaneName
from zmqbridge.jobs import Job
from zmqbridge.lanes import BATCH_BOUNDS, Lane
from zmqbridge.latencies import BOUNDS_SECONDS, Latencies
from zmqbridge.metrics.measuring import Measuring
from zmqbridge.observer import Observer
from zmqbridge.outbox import Outbox
from zmqbridge.patience import Patience
from zmqbridge.protocol import Code
from zmqbridge.skew import Skew

Samples = Iterable[tuple[str, float]]


@dataclass(frozen=True, slots=True)
class Sources:
    latencies: Latencies
    observer: Observer
    lanes: Mapping[LaneName, Lane]
    outbox: Outbox
    cache: ReadCache
    accesses: Accesses
    patience: Patience
    measuring: Measuring
    skew: Skew
    jobs: Sequence[Job]


class Families(Collector):
    """Every family on every scrape, those without samples too."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources

    def collect(self) -> Iterator[Metric]:
        yield _gauge("build_info", "1, with the version that runs.", "version", [(VERSION, 1)])
        yield from _of_requests(self._sources.latencies)
        yield _counter(
            "slow_requests", "Those above SLOW_REQUEST_MS.", value=self._sources.observer.slow
        )
        yield from _of_lanes(self._sources.lanes)
        yield from _of_outbox(self._sources.outbox)
        yield from _of_cache(self._sources.cache)
        yield from _of_jobs(self._sources.jobs)
        yield from _of_embedder()
        yield _gauge(
            "clock_skew_seconds",
            "By how much the database's clock is ahead of this machine's.",
            value=self._sources.skew.seconds,
        )
        yield from _of_disks(self._sources.measuring.disks)
        yield from _of_database(self._sources.patience, self._sources.measuring)
        yield from _of_measures(self._sources.measuring.latest)
        yield _counter(
            "log_lines_lost",
            "Log lines that could not be written.",
            value=LineHandler.lines_lost,
        )
        yield _counter(
            "accesses_lost",
            "Accesses that the log did not take, because too many waited to be written.",
            value=self._sources.accesses.lost,
        )


def _of_requests(latencies: Latencies) -> Iterator[Metric]:
    counts = CounterMetricFamily(
        "memories_requests",
        "Requests answered; `outcome` is `success` or the code of the error. The action `refused` "
        "counts what has no good envelope.",
        labels=("action", "outcome"),
    )
    seconds = HistogramMetricFamily(
        "memories_request_seconds",
        "Seconds from the receipt of a request to its reply.",
        labels=("action",),
    )
    for action, told in latencies.by_action().items():
        counts.add_metric((action, "success"), told.count - sum(told.errors.values()))
        # Those at 0 too: of a series that begins with its first trouble, `rate` sees nothing.
        for code, count in (dict.fromkeys(Code, 0) | dict(told.errors)).items():
            counts.add_metric((action, code), count)
        seconds.add_metric((action,), _cumulated(BOUNDS_SECONDS, told.buckets), told.seconds)
    yield counts
    yield seconds


def _of_lanes(lanes: Mapping[LaneName, Lane]) -> Iterator[Metric]:
    told = {name: lane.measure() for name, lane in lanes.items()}
    by_lane = [
        (_gauge, "depth", "Requests that wait in a lane."),
        (_gauge, "oldest_seconds", "How long the first of them has waited."),
        (_gauge, "workers", "Threads that serve a lane."),
        (_counter, "refused", "Requests refused because their lane was full."),
        (_counter, "waited_seconds", "Seconds that requests waited in a lane, summed."),
        (_counter, "busy_seconds", "Seconds that a lane's threads worked, summed."),
    ]
    for family, name, text in by_lane:
        samples = [(lane, getattr(each, name)) for lane, each in told.items()]
        yield family(f"lane_{name}", text, "lane", samples)
    batches = HistogramMetricFamily(
        "memories_lane_batch_size", "Requests that were served together.", labels=("lane",)
    )
    for lane, each in told.items():
        batches.add_metric((lane,), _cumulated(BATCH_BOUNDS, each.batches), each.answered)
    yield batches


def _of_outbox(outbox: Outbox) -> Iterator[Metric]:
    told = outbox.report()
    yield _gauge(
        "outbox_replies", "Replies that wait for peers that read slowly.", value=told["waiting"]
    )
    yield _gauge(
        "outbox_parked_requests",
        "Requests that wait until their peer reads its replies.",
        value=told["parked_requests"],
    )
    yield _counter(
        "outbox_dropped_requests",
        "Requests dropped, because their peer reads no replies.",
        value=told["dropped_requests"],
    )
    yield _counter(
        "outbox_undeliverable_replies",
        "Replies whose peer was gone.",
        value=told["peers_gone"],
    )


def _of_cache(cache: ReadCache) -> Iterator[Metric]:
    told = cache.report()
    yield _counter("cache_hits", "Reads by id that the cache answered.", value=told["hits"])
    yield _counter("cache_misses", "Reads by id that it did not.", value=told["misses"])
    yield _gauge("cache_entries", "Memories in the cache.", value=told["entries"])
    yield _gauge("cache_bytes", "Their size.", value=told["bytes"])
    yield _gauge(
        "cache_trusted",
        "1 while changes are heard; at 0 every read goes to the database.",
        value=told["trusted"],
    )


def _of_jobs(jobs: Sequence[Job]) -> Iterator[Metric]:
    by_job = [
        (_counter, "runs", "Units of work that a job began."),
        (_counter, "failures", "Units of work that failed."),
        (_counter, "busy_seconds", "Seconds that a job worked."),
        (_gauge, "period_seconds", "How often a job looks for work."),
        (_gauge, "last_success_timestamp_seconds", "When a job last did well, as Unix time."),
    ]
    for family, name, text in by_job:
        samples = [(job.name, getattr(job.measure(), name)) for job in jobs]
        yield family(f"job_{name}", text, "job_name", samples)


def _of_embedder() -> Iterator[Metric]:
    told = uses()
    by_kind = [
        ("texts", "Texts embedded; `kind` is `document` or `query`."),
        ("seconds", "Seconds that this took."),
        ("failures", "Calls of the embedder that failed."),
    ]
    for name, text in by_kind:
        samples = [(str(kind), getattr(use, name)) for kind, use in told.items()]
        yield _counter(f"embedder_{name}", text, "kind", samples)


def _of_disks(disks: Sequence[Disk]) -> Iterator[Metric]:
    free = [(disk.folder, disk.free_bytes) for disk in disks]
    size = [(disk.folder, disk.size_bytes) for disk in disks]
    yield _gauge("disk_free_bytes", "Room on the disk of a folder that is used.", "folder", free)
    yield _gauge("disk_size_bytes", "The size of that disk.", "folder", size)


def _of_database(patience: Patience, measuring: Measuring) -> Iterator[Metric]:
    yield _gauge("database_up", "1 while the database answers.", value=not patience.away)
    yield _counter("database_losses", "How often the database went away.", value=patience.losses)
    yield _gauge(
        "measured_timestamp_seconds",
        "When the figures below were taken from the database, as Unix time; 0: not yet.",
        value=measuring.measured_at,
    )


def _of_measures(measures: Measures) -> Iterator[Metric]:
    yield _gauge(
        "table_rows",
        "Rows of a table, estimated; soft-deleted ones count.",
        "table",
        measures.table_rows.items(),
    )
    yield _gauge(
        "embeddings_waiting",
        "Vectors still to be made; counted up to 1001.",
        value=measures.embeddings_waiting,
    )
    yield _gauge(
        "embeddings_set_aside",
        "Memories whose vector failed too often; counted up to 1001.",
        value=measures.embeddings_set_aside,
    )
    yield _gauge(
        "embeddings_oldest_seconds",
        "How long the vector that waits longest has waited, tried or not.",
        value=measures.embeddings_oldest_seconds,
    )
    yield _gauge("database_bytes", "Size of the database.", value=measures.database_bytes)
    yield _gauge(
        "database_connections",
        "Connections to the database by their state, of every program.",
        "state",
        measures.connections.items(),
    )
    yield _gauge(
        "database_max_connections",
        "How many PostgreSQL allows.",
        value=measures.max_connections,
    )
    by_kind = [
        ("made_timestamp_seconds", "When the last good backup was made, as Unix time; 0: none."),
        ("verified_timestamp_seconds", "When that was tried, as Unix time; 0: it was not."),
        ("bytes", "Its size."),
        ("failed", "1 while the last try to make or check one failed."),
    ]
    for name, text in by_kind:
        samples = [(backup.kind, float(getattr(backup, name))) for backup in measures.backups]
        yield _gauge(f"backup_{name}", text, "kind", samples)


def _counter(
    name: str, text: str, label: str = "", samples: Samples = (), *, value: float | None = None
) -> Metric:
    return _filled(CounterMetricFamily, name, text, label, samples, value)


def _gauge(
    name: str, text: str, label: str = "", samples: Samples = (), *, value: float | None = None
) -> Metric:
    return _filled(GaugeMetricFamily, name, text, label, samples, value)


def _filled(
    kind: type[CounterMetricFamily] | type[GaugeMetricFamily],
    name: str,
    text: str,
    label: str,
    samples: Samples,
    value: float | None,
) -> Metric:
    family = kind(f"memories_{name}", text, labels=(label,) if label else ())
    if value is not None:
        family.add_metric((), value)
    for label_value, each in samples:
        family.add_metric((label_value,), each)
    return family


def _cumulated(bounds: Sequence[float], counts: Sequence[int]) -> list[tuple[str, float]]:
    """Buckets as Prometheus counts them: each with all that is below it."""
    names = [*(f"{bound:g}" for bound in bounds), "+Inf"]
    return list(zip(names, accumulate(counts), strict=True))
