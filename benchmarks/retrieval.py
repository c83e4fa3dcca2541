"""How well searches find: recall and MRR on dialogues with questions, through the orchestrator.

    python -m benchmarks.retrieval DIALOGUES.json [--embedder minilm] [--weights name=number,...]
    python -m benchmarks.retrieval DIALOGUES.json --ablate      # hybrid also without each weight
    python -m benchmarks.retrieval DIALOGUES.json --holdout     # weights chosen on other dialogues

A file is a list of dialogues: {"name", "turns": [{"id", "session", "time", "speaker", "text",
"caption"}], "questions": [{"text", "evidence": [turn ids], "category"}]}. Each turn is created as
one memory of one user, in its session; each question is searched in all that the user has. Recall@k
is the mean share of a question's evidence among the first k; MRR goes by the first evidence.

`--holdout` chooses weights on all dialogues but one by round numbers, and judges them on that one.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any, NamedTuple

import numpy as np
import psycopg
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.ranking_lab import PLAIN, RRF_K, Lab, Quality, Reader, by_reciprocal_ranks, told
from benchmarks.report import write_json
from benchmarks.serving import Served, another, end_what_was_started, serving
from memories.services.search.weights import Weights
from zmqbridge.client import Client

CUTS = (5, 10, 20)
SEARCHED = 100
_EMBEDDED_SECONDS = 1800
SEARCH_TYPES = ("keyword", "semantic", "hybrid")
_QUALITIES = [*(f"recall@{cut}" for cut in CUTS), "MRR"]
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


class Question(NamedTuple):
    """`evidence`: the memories that answer it, at least one."""

    text: str
    category: int
    evidence: list[str]


@dataclass(frozen=True, slots=True)
class Stored:
    """A dialogue in the database: the memory of each turn, and a session to search from."""

    name: str
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
        if turn.get("caption"):
            text += f" [shares a photo: {turn['caption']}]"
        memory_of[turn["id"]] = client.create(text, session_id=sessions[name]).memory_id
    session = next(iter(sessions.values()), "")
    return Stored(dialogue["name"], dialogue.get("questions") or [], memory_of, session)


def wait_for_vectors(served: Served) -> None:
    """Until all turns have theirs: a search waits for them too, but not for ever."""
    deadline = time.monotonic() + _EMBEDDED_SECONDS
    with psycopg.connect(served.database, autocommit=True) as connection:
        while connection.execute("SELECT 1 FROM embedding_tasks LIMIT 1").fetchone():
            if time.monotonic() > deadline:
                sys.exit(f"Turns still lacked their vector after {_EMBEDDED_SECONDS} seconds.")
            time.sleep(0.2)


def questions_of(dialogue: Stored) -> list[Question]:
    """Those whose evidence is among the turns."""
    found = []
    for question in dialogue.questions:
        evidence = [dialogue.memory_of.get(turn) for turn in question.get("evidence") or ()]
        known = [memory_id for memory_id in evidence if memory_id]
        if known:
            found.append(Question(question["text"], question.get("category", 0), known))
    return found


def ask(client: Client, dialogue: Stored, kind: str) -> Iterable[Answered]:
    for question in questions_of(dialogue):
        start = time.perf_counter()
        found = client.search(
            question.text,
            search_type=kind,  # type: ignore[arg-type]
            limit=SEARCHED,
            session_id=dialogue.session,
        )
        seconds = time.perf_counter() - start
        places = {memory.memory_id: place for place, memory in enumerate(found.results)}
        yield Answered(
            question.category,
            [places.get(memory_id, SEARCHED) for memory_id in question.evidence],
            seconds,
        )


def row(name: str, answered: Sequence[Answered]) -> list[str]:
    recalls = [f"{mean(a.recall(cut) for a in answered):.4f}" for cut in CUTS]
    mrr = mean(a.reciprocal_rank() for a in answered)
    p50, p95 = np.percentile([a.seconds * 1000 for a in answered], (50, 95))
    return [name, str(len(answered)), *recalls, f"{mrr:.4f}", f"{p50:.1f}", f"{p95:.1f}"]


def report(results: Mapping[str, Sequence[Answered]]) -> Table:
    table = Table("search", "questions", *_QUALITIES, "p50 ms", "p95 ms")
    for name, answered in results.items():
        if answered:
            table.add_row(*row(name, answered))
    for category, name in CATEGORIES.items():
        of_category = [a for a in results["hybrid"] if a.category == category]
        if of_category:
            table.add_row(*row(f"hybrid, {name}", of_category))
    return table


def measure(endpoint: str, stored: list[Stored], kind: str) -> list[Answered]:
    with Client(endpoint, timeout_seconds=120) as client:
        return [answered for dialogue in stored for answered in ask(client, dialogue, kind)]


def read_lab(served: Served, stored: Sequence[Stored]) -> Lab:
    """Of the dialogues that have questions."""
    settings = served.environment
    reader = Reader(served.database, settings["EMBEDDER"], Path(settings["DATA_DIR"]))
    dialogues = []
    for each in stored:
        if questions := [(q.text, q.evidence) for q in questions_of(each)]:
            memory_ids = list(each.memory_of.values())
            dialogues.append(reader.dialogue(each.name, memory_ids, questions))
    reader.close()
    return Lab(dialogues)


def held_out(lab: Lab) -> Table:
    """Of each dialogue: what its questions give by the default weights, by those chosen on all the
    others, and by other ways to rank; then the means over the dialogues."""
    table = Table("dialogue", "weights", *_QUALITIES)
    table.add_column("where they differ from the defaults", overflow="fold")
    every = range(len(lab.dialogues))
    others = [[other for other in every if other != place] for place in every]
    chosen = [lab.choose(some) for some in others]
    refined = [lab.choose(some, Weights()) for some in others]
    together = lab.choose(every)
    ways: dict[str, list[Quality]] = {
        "default": lab.qualities(Weights()),
        "chosen on the others": [lab.qualities(chosen[place])[place] for place in every],
        "the same, beginning with the defaults": [
            lab.qualities(refined[place])[place] for place in every
        ],
        "the recipe they began with": lab.qualities(PLAIN),
        f"reciprocal rank fusion, k = {RRF_K}": [
            dialogue.quality(by_reciprocal_ranks) for dialogue in lab.dialogues
        ],
        "chosen on all, not held out": lab.qualities(together),
    }
    for place, dialogue in enumerate(lab.dialogues):
        for name in ("default", "chosen on the others"):
            weights = told(chosen[place]) if name != "default" else ""
            table.add_row(dialogue.name, name, *_cells(ways[name][place]), weights)
    for name, qualities in ways.items():
        means = Quality(*(mean(column) for column in zip(*qualities, strict=True)))
        weights = told(together) if name.startswith("chosen on all") else ""
        table.add_row("mean", name, *_cells(means), weights)
    return table


def _cells(quality: Quality) -> list[str]:
    return [f"{number:.4f}" for number in quality]


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.retrieval", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("dialogues", type=Path)
    parser.add_argument("--embedder", default="minilm")
    parser.add_argument("--weights", default="", help="as in SEARCH_WEIGHTS")
    parser.add_argument(
        "--ablate", action="store_true", help="hybrid search also without each of its weights"
    )
    parser.add_argument(
        "--holdout", action="store_true", help="weights chosen on all dialogues but one"
    )
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    end_what_was_started()
    if not options.dialogues.exists():
        sys.exit(f"{options.dialogues} is not there; name a file of dialogues in the form above.")
    dialogues = json.loads(options.dialogues.read_text())
    settings = {"EMBEDDER": options.embedder, "EMBED_WAIT_SECONDS": "60"}
    if options.weights:
        settings["SEARCH_WEIGHTS"] = options.weights
    console = Console(width=None if sys.stdout.isatty() else 140)
    with serving(settings) as served:
        with Client(served.endpoint, timeout_seconds=120) as client:
            stored = [store(client, dialogue) for dialogue in track(dialogues, console=console)]
        if not any(map(questions_of, stored)):
            sys.exit(f"{options.dialogues} asks nothing whose evidence is among the turns.")
        wait_for_vectors(served)
        results = {kind: measure(served.endpoint, stored, kind) for kind in SEARCH_TYPES}
        for name in Weights.__dataclass_fields__ if options.ablate else ():
            with another(served, {"SEARCH_WEIGHTS": f"{name}=0"}) as endpoint:
                results[f"hybrid without {name}"] = measure(endpoint, stored, "hybrid")
        console.print(report(results))
        if options.json:
            write_json(options.json, {name: summary(found) for name, found in results.items()})
        if options.holdout:
            lab = read_lab(served, stored)
            if len(lab.dialogues) < 2:
                sys.exit("--holdout takes at least two dialogues with questions.")
            console.print(held_out(lab))


def summary(answered: Sequence[Answered]) -> dict[str, float]:
    return {
        "questions": len(answered),
        **{f"recall@{cut}": mean(a.recall(cut) for a in answered) for cut in CUTS},
        "mrr": mean(a.reciprocal_rank() for a in answered),
    }


if __name__ == "__main__":
    main()
