"""`manage.py check_recall`: how much of the exact answer searches by meaning find, and how fast."""

from argparse import ArgumentParser
from pathlib import Path
from statistics import mean, quantiles
from typing import Any, TextIO, cast

import numpy as np
from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.table import Table

from memories.embedders.base import Vectors
from memories.embedders.errors import EmbeddingError
from memories.errors import MemoriesError
from memories.management.terminal import progress_bar
from memories.services.embedding.models import Serving, serving
from memories.services.search.lexical import MAX_QUERY_CHARACTERS
from memories.services.search.recall import (
    CUT,
    Checked,
    Sampled,
    check_search,
    count_vectors,
    sample_memories,
    starts_of_newest,
    vectors_of,
)

TARGET = 0.98


class Command(BaseCommand):
    help = "Compare what searches by meaning find with the exact answer, by share of the data."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--count", type=int, default=20, help="queries (default: 20)")
        parser.add_argument(
            "--queries", type=Path, help="a file with a query on each line, instead of stored texts"
        )
        parser.add_argument(
            "--check", action="store_true", help=f"exit with 1 where recall is below {TARGET}"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["count"] < 1:
            raise CommandError("--count is below 1; give the number of queries.")
        try:
            results = _measure(_serving(), options["count"], options["queries"])
        except (EmbeddingError, MemoriesError) as error:
            raise CommandError(str(error)) from error
        Console(file=cast(TextIO, self.stdout), highlight=False).print(_table(results))
        self._warn(results, options["check"])

    def _warn(self, results: dict[str, list[Checked]], check: bool) -> None:
        recalls = {name: mean(each.recall for each in found) for name, found in results.items()}
        low = [f"{name} {recall:.3f}" for name, recall in recalls.items() if recall < TARGET]
        if low:
            warning = f"Recall@{CUT} is below {TARGET}: {', '.join(low)}."
            if check:
                raise CommandError(warning)
            self.stderr.write(self.style.WARNING(warning))


def _serving() -> Serving:
    current = serving()
    if current is None:
        raise CommandError("No embedding model is active: nothing is found by meaning here.")
    return current


def _measure(current: Serving, count: int, queries: Path | None) -> dict[str, list[Checked]]:
    """The results by what the filter looks at, the smallest share first."""
    sampled = sample_memories(current.model_id, count)
    if not sampled:
        raise CommandError("No memory has a vector of the active model yet.")
    vectors = _query_vectors(current, sampled, queries)
    total = count_vectors(current.model_id)
    starts = starts_of_newest()
    results: dict[str, list[Checked]] = {}
    with progress_bar() as bar:
        for memory, vector in bar.track(
            list(zip(sampled, vectors, strict=True)), description="searching"
        ):
            for name, filter_ in memory.filters(starts).items():
                if checked := check_search(current, filter_, vector, total):
                    results.setdefault(name, []).append(checked)
    return dict(sorted(results.items(), key=lambda item: mean(c.share for c in item[1])))


def _query_vectors(current: Serving, sampled: list[Sampled], queries: Path | None) -> list[Vectors]:
    if queries is not None:
        lines = _read_lines(queries)
        texts = [lines[place % len(lines)] for place in range(len(sampled))]
    elif current.embedder.embeds_text:
        texts = [memory.text for memory in sampled]
    else:
        stored = vectors_of(current.model_id, sampled)
        return [np.array(text[1:-1].split(","), np.float32) for text in stored]
    return list(current.embedder.embed_queries([text[:MAX_QUERY_CHARACTERS] for text in texts]))


def _read_lines(path: Path) -> list[str]:
    try:
        lines = [line.strip() for line in path.read_text().splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"The queries cannot be read: {error}.") from error
    if not lines:
        raise CommandError(f"{path} holds no query; write one on each line.")
    return lines


def _table(results: dict[str, list[Checked]]) -> Table:
    table = Table("filter", "share of the data", "searches", f"recall@{CUT}", "p50 ms", "p95 ms")
    for name, checked in results.items():
        times = [each.seconds * 1000 for each in checked]
        cuts = quantiles(times, n=20) if len(times) > 1 else times * 19
        table.add_row(
            name,
            f"{100 * mean(each.share for each in checked):.3g} %",
            str(len(checked)),
            f"{mean(each.recall for each in checked):.3f}",
            f"{cuts[9]:.1f}",
            f"{cuts[18]:.1f}",
        )
    return table
