"""A program that has an old store open: `python writer.py PATH MODE`. Prints `ready` first.

idle: leaves a row in the WAL and waits. busy: gives the first and the last row the same new
content, in a transaction each time, and folds the WAL in all the time. spilled: waits in the
middle of a transaction of which pages are in the file already. exclusive: holds the lock of a
writer. Ends when its input does.
"""

import sqlite3
import sys
import threading

path, mode = sys.argv[1:]
connection = sqlite3.connect(path, isolation_level=None)
INSERT = "INSERT INTO interactions (session_id, timestamp, content) VALUES ('s-1', ?, ?)"
TIME = "2024-03-01T09:00:00"
done = threading.Event()


def wait_for_the_end():
    sys.stdin.read()
    done.set()


threading.Thread(target=wait_for_the_end, daemon=True).start()
if mode in ("idle", "busy"):
    connection.execute("PRAGMA journal_mode = WAL")
if mode == "busy":
    connection.execute("PRAGMA wal_autocheckpoint = 2")
    connection.execute("PRAGMA synchronous = OFF")
if mode == "idle":
    connection.execute(INSERT, [TIME, "in the WAL"])
if mode == "spilled":
    connection.execute("PRAGMA cache_size = 2")
    connection.execute("BEGIN")
    for _ in range(2000):
        connection.execute(INSERT, [TIME, "never committed" * 10])
if mode == "exclusive":
    connection.execute("BEGIN EXCLUSIVE")
sys.stdout.write("ready\n")
sys.stdout.flush()
count = 0
while mode == "busy" and not done.is_set():
    count += 1
    connection.execute(
        "UPDATE interactions SET content = ? WHERE id IN (1, (SELECT max(id) FROM interactions))",
        [f"{count:09}"],
    )
done.wait()
