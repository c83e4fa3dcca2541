"""A client process for the tests: DATA_DIR LINGER_SECONDS; obeys the lines of its standard input.

It answers each line with one line of JSON. `sql …` runs a statement, `fork` and `spawn` make a
child that outlives it, anything else ends it. It ends with its input, too.
"""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import psycopg

from memoryproject.postgres.launch import ensure_running


def reply(value):
    sys.stdout.write(json.dumps(value, default=str) + "\n")
    sys.stdout.flush()


def fork():
    child = os.fork()
    if child == 0:
        signal.pause()
    return child


def main():
    data_dir, linger_seconds = Path(sys.argv[1]), float(sys.argv[2])
    address = ensure_running(data_dir, linger_seconds=linger_seconds)
    reply({"started": address.started_ns, "host": address.host, "password": address.password})
    with psycopg.connect(address.dsn("postgres"), autocommit=True) as connection:
        for line in sys.stdin:
            command, _, argument = line.strip().partition(" ")
            if command == "sql":
                cursor = connection.execute(argument)
                reply(cursor.fetchall() if cursor.description else None)
            elif command == "fork":
                reply(fork())
            elif command == "spawn":
                child = subprocess.Popen(["sleep", "60"], stdin=subprocess.DEVNULL)
                reply(child.pid)
            else:
                return


main()
