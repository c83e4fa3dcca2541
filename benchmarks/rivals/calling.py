"""What every rival's program shares: it takes scenarios by name from its standard input, does them
and prints figures as JSON, one line each. Needs nothing but Python.
"""

import json
import sys
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median

CALLERS = 16
BATCH = 50
SEARCHED = 5
# A scenario goes on no longer, and its rate is that of what was done by then.
_LIMIT_SECONDS = 30

ROW, ROW_MANY = "create, row only", f"create, row only, {CALLERS} callers"
VECTOR, VECTOR_MANY = "create with vector", f"create with vector, {CALLERS} callers"
BATCHES = f"create with vectors, batches of {BATCH}"
READ_NEW = "read, just created"
READ_LATER, READ_AGAIN = "read, first time", "read, again"
READ_MANY = f"read, again, {CALLERS} callers"
SEARCH, SEARCH_MANY = "search by vector", f"search by vector, {CALLERS} callers"
HYBRID = "search by words and vector"
HYBRID_MANY = f"{HYBRID}, {CALLERS} callers"
RECALL = "recall"
SCENARIOS = (
    *(ROW, ROW_MANY, VECTOR, VECTOR_MANY, BATCHES),
    *(READ_NEW, READ_LATER, READ_AGAIN, READ_MANY),
    *(SEARCH, SEARCH_MANY, HYBRID, HYBRID_MANY, RECALL),
)


class Work:
    """Memories and queries as [owner, text, vector]; `part` gives each scenario and round memories
    of its own."""

    def __init__(self, given):
        self.endpoint = given["endpoint"]
        self.rounds = given["rounds"]
        self.queries = given["queries"]
        self.recall_memories = given["recall_memories"]
        self.recall_queries = given["recall_queries"]
        self._memories = given["memories"]

    def vectors(self):
        """By text: for stores that embed by a function of theirs."""
        everything = self._memories + self.queries + self.recall_memories + self.recall_queries
        return {text: vector for _, text, vector in everything}

    def part(self, name, round_number):
        """Those of one of the six scenarios that create."""
        scenarios = (ROW, ROW_MANY, VECTOR, VECTOR_MANY, BATCHES, READ_NEW)
        parts = len(scenarios) * self.rounds
        return self._memories[scenarios.index(name) * self.rounds + round_number :: parts]

    def batches(self, round_number):
        """Each of one owner, as all these stores want it."""
        by_owner = {}
        for memory in self.part(BATCHES, round_number):
            by_owner.setdefault(memory[0], []).append(memory)
        return [
            some[start : start + BATCH]
            for some in by_owner.values()
            for start in range(0, len(some), BATCH)
        ]

    def batch_size(self, round_number):
        batches = self.batches(round_number)
        return sum(map(len, batches)) / len(batches)


def read_work():
    """The database's address and the work."""
    return sys.argv[1], Work(json.loads(Path(sys.argv[2]).read_text()))


def serve(scenarios):
    """`scenarios`: by name, a function of the round's number that returns figures."""
    out, sys.stdout = sys.stdout, sys.stderr  # what a library prints is no figure
    print(json.dumps({"ready": list(scenarios)}), file=out, flush=True)
    for line in sys.stdin:
        name, round_number = json.loads(line)
        try:
            told = scenarios[name](round_number)
        except Exception as error:  # the other scenarios may do better
            traceback.print_exc()
            told = {"error": f"{type(error).__name__}: {error}"[:300]}
        print(json.dumps(told), file=out, flush=True)


def timed(call, arguments, callers=1, each=1, prepare=None):
    """Call it with each of `arguments`, from so many threads; a call stands for `each` of what is
    counted. `prepare` makes the argument out of what is given, and is not timed."""
    began = time.perf_counter()

    def one(argument):
        if time.perf_counter() - began > _LIMIT_SECONDS:
            return None
        ready = prepare(argument) if prepare else argument
        start = time.perf_counter()
        call(ready)
        return time.perf_counter() - start

    if callers == 1:
        taken = [one(argument) for argument in arguments]
    else:
        with ThreadPoolExecutor(callers) as pool:
            taken = list(pool.map(one, arguments))
    whole = time.perf_counter() - began
    seconds = sorted(each_taken for each_taken in taken if each_taken is not None)
    if prepare:
        whole = sum(seconds)
    return {
        "rate": len(seconds) * each / whole,
        "p50": median(seconds) * 1000,
        "p95": seconds[int(0.95 * (len(seconds) - 1))] * 1000,
        "count": len(seconds),
    }
