"""How well searches find: recall and MRR on dialogues with questions, through the orchestrator.

    python -m benchmarks.retrieval DIALOGUES.json [--embedder minilm] [--weights name=number,...]

A file is a list of dialogues: {"name", "turns": [{"id", "session", "time", "speaker", "text",
"caption"}], "questions": [{"text", "evidence": [turn ids], "category"}]}. Each turn is created as
one memory of one user, in its session; each question is searched in all that the user has. Recall@k
is the mean share of a question's evidence among the first k; MRR goes by the first evidence.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, quantiles
from typing import Any

from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.serving import orchestrator
from zmqbridge.client import Client

CUTS = (5, 10, 20)
SEARCHED = 100
SEARCH_TYPES = ("keyword", "semantic", "hybrid")
CATEGORIES = {1: "multi-hop", 2: "temporal", 3: "open-domain", 4: "single-hop"}


@dataclass(frozen=True, slots=True)
class Answered:
    """A question: its category, the places of its evidence in the ranking, and the time taken."""

    category: int
    places: list[int]
    seconds: float

    def recall(self, cut: int) -> float:
        return sum(place < cut for place in self.places) / len(self.places)

    def reciprocal_rank(self) -> float:
        return 1 / (1 + min(self.places)) if min(self.places) < SEARCHED else 0.0


def store(client: Client, dialogue: dict[str, Any]) -> tuple[dict[str, str], str]:
    """Create the turns; returns the memory of each turn, and a session to search from."""
    memory_of: dict[str, str] = {}
    sessions: dict[str, str] = {}
    for turn in dialogue["turns"]:
        name = turn["session"]
        if name not in sessions:
            sessions[name] = client.create_session(user_id=dialogue["name"]).session_id
        text = f"{turn['speaker']}: {turn['text']}"
        if turn["caption"]:
            text += f" [shares a photo: {turn['caption']}]"
        memory_of[turn["id"]] = client.create(text, session_id=sessions[name]).memory_id
    return memory_of, next(iter(sessions.values()))


def ask(
    client: Client, dialogue: dict[str, Any], memory_of: dict[str, str], session: str, kind: str
) -> Iterable[Answered]:
    for question in dialogue["questions"]:
        evidence = [memory_of[turn] for turn in question["evidence"] if turn in memory_of]
        if not evidence:
            continue
        start = time.perf_counter()
        found = client.search(
            question["text"], search_type=kind, limit=SEARCHED, session_id=session
        )
        seconds = time.perf_counter() - start
        places = {memory.memory_id: place for place, memory in enumerate(found.results)}
        yield Answered(
            question["category"],
            [places.get(memory_id, SEARCHED) for memory_id in evidence],
            seconds,
        )


def row(name: str, answered: list[Answered]) -> list[str]:
    recalls = [f"{mean(a.recall(cut) for a in answered):.4f}" for cut in CUTS]
    mrr = mean(a.reciprocal_rank() for a in answered)
    times = quantiles([a.seconds * 1000 for a in answered], n=20)
    return [name, str(len(answered)), *recalls, f"{mrr:.4f}", f"{times[9]:.1f}", f"{times[18]:.1f}"]


def report(results: dict[str, list[Answered]]) -> Table:
    table = Table(
        "search", "questions", *(f"recall@{cut}" for cut in CUTS), "MRR", "p50 ms", "p95 ms"
    )
    for kind, answered in results.items():
        table.add_row(*row(kind, answered))
    for category, name in CATEGORIES.items():
        of_category = [a for a in results["hybrid"] if a.category == category]
        if len(of_category) > 1:
            table.add_row(*row(f"hybrid, {name}", of_category))
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dialogues", type=Path)
    parser.add_argument("--embedder", default="minilm")
    parser.add_argument("--weights", default="", help="as in SEARCH_WEIGHTS")
    options = parser.parse_args()
    if not options.dialogues.exists():
        sys.exit(f"{options.dialogues} is not there; name a file of dialogues in the form above.")
    dialogues = json.loads(options.dialogues.read_text())
    results: dict[str, list[Answered]] = {kind: [] for kind in SEARCH_TYPES}
    settings = {"EMBEDDER": options.embedder, "EMBED_WAIT_SECONDS": "60"}
    if options.weights:
        settings["SEARCH_WEIGHTS"] = options.weights
    console = Console()
    with orchestrator(settings) as endpoint, Client(endpoint, timeout_seconds=120) as client:
        for dialogue in track(dialogues, "dialogues", console=console):
            memory_of, session = store(client, dialogue)
            for kind in SEARCH_TYPES:
                results[kind] += ask(client, dialogue, memory_of, session, kind)
    console.print(report(results))


if __name__ == "__main__":
    main()
