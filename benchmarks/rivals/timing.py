"""Times the calls of one rival, alone and from 16 threads. Needs nothing but Python."""

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median

CALLERS = 16


def read_work():
    """The database's address and the work: memories and queries as [owner, text, vector]."""
    return sys.argv[1], json.loads(Path(sys.argv[2]).read_text())


def timed(call, arguments, callers=1):
    """Call it with each of `arguments`; returns the calls a second and the median in ms."""

    def one(argument):
        start = time.perf_counter()
        call(argument)
        return time.perf_counter() - start

    start = time.perf_counter()
    if callers == 1:
        seconds = [one(argument) for argument in arguments]
    else:
        with ThreadPoolExecutor(callers) as pool:
            seconds = list(pool.map(one, arguments))
    rate = len(seconds) / (time.perf_counter() - start)
    return {"rate": rate, "p50": median(seconds) * 1000}


def say(figures):
    print(json.dumps(figures))
