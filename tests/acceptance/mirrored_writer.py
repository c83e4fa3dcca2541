"""An old assistant at work: `python mirrored_writer.py PATH PREFIX` until its input ends.

Adds, changes and deletes memories of a unified memory in WAL mode.
"""

import random
import sqlite3
import sys
import threading
import time

path, prefix = sys.argv[1:]
connection = sqlite3.connect(path, isolation_level=None, timeout=30)
connection.execute("PRAGMA journal_mode = WAL")
ended = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
chance, alive, count = random.Random(7), [], 0
while not ended.wait(0.005):
    what = chance.random()
    if what < 0.6 or not alive:
        count += 1
        alive.append(f"{prefix}-{count}")
        connection.execute(
            "INSERT INTO memories (memory_id, content, memory_type, importance, created_at,"
            " metadata, tags) VALUES (?, ?, 'entity', 0.5, ?, '{}', '[]')",
            [alive[-1], f"memory {count}", time.time()],
        )
    elif what < 0.85:
        connection.execute(
            "UPDATE memories SET content = content || ' again' WHERE memory_id = ?",
            [chance.choice(alive)],
        )
    else:
        gone = alive.pop(chance.randrange(len(alive)))
        connection.execute("DELETE FROM memories WHERE memory_id = ?", [gone])
