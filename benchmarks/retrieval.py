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

from benchmarks.serving import another, serving
from memories.services.weights import Weights
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


@dataclass(frozen=True, slots=True)
class Stored:
    """A dialogue in the database: the memory of each turn, and a session to search from."""

    questions: list[dict[str, Any]]
    memory_of: dict[str, str]
    session: str


def store(client: Client, dialogue: dict[str, Any]) -> Stored:
    """Create the turns, one by one as an assistant does."""
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
    return Stored(dialogue["questions"], memory_of, next(iter(sessions.values())))


def ask(client: Client, dialogue: Stored, kind: str) -> Iterable[Answered]:
    for question in dialogue.questions:
        evidence = [
            dialogue.memory_of[turn] for turn in question["evidence"] if turn in dialogue.memory_of
        ]
        if not evidence:
            continue
        start = time.perf_counter()
        found = client.search(
            question["text"], search_type=kind, limit=SEARCHED, session_id=dialogue.session
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
    cuts = [f"recall@{cut}" for cut in CUTS]
    table = Table("search", "questions", *cuts, "MRR", "p50 ms", "p95 ms")
    for name, answered in results.items():
        table.add_row(*row(name, answered))
    for category, name in CATEGORIES.items():
        of_category = [a for a in results["hybrid"] if a.category == category]
        if len(of_category) > 1:
            table.add_row(*row(f"hybrid, {name}", of_category))
    return table


def measure(endpoint: str, stored: list[Stored], kind: str) -> list[Answered]:
    with Client(endpoint, timeout_seconds=120) as client:
        return [answered for dialogue in stored for answered in ask(client, dialogue, kind)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dialogues", type=Path)
    parser.add_argument("--embedder", default="minilm")
    parser.add_argument("--weights", default="", help="as in SEARCH_WEIGHTS")
    parser.add_argument(
        "--ablate", action="store_true", help="hybrid search also without each of its weights"
    )
    options = parser.parse_args()
    if not options.dialogues.exists():
        sys.exit(f"{options.dialogues} is not there; name a file of dialogues in the form above.")
    dialogues = json.loads(options.dialogues.read_text())
    settings = {"EMBEDDER": options.embedder, "EMBED_WAIT_SECONDS": "60"}
    if options.weights:
        settings["SEARCH_WEIGHTS"] = options.weights
    results: dict[str, list[Answered]] = {}
    console = Console(width=110)
    with serving(settings) as served:
        with Client(served.endpoint, timeout_seconds=120) as client:
            stored = [store(client, dialogue) for dialogue in track(dialogues, console=console)]
        for kind in SEARCH_TYPES:
            results[kind] = measure(served.endpoint, stored, kind)
        for name in Weights.__dataclass_fields__ if options.ablate else ():
            with another(served, {"SEARCH_WEIGHTS": f"{name}=0"}) as endpoint:
                results[f"hybrid without {name}"] = measure(endpoint, stored, "hybrid")
    console.print(report(results))


if __name__ == "__main__":
    main()
