"""The plain design that this system replaces: a REP socket, one request at a time, and a commit
each for the row, its tags and the log. No batches, no cache, no recognition of repeats, no vectors.
"""

import json
import multiprocessing
import secrets
import threading

import calling
import psycopg
import zmq

_TABLES = """
CREATE TABLE memories (id text PRIMARY KEY, session_id text, content jsonb, search tsvector,
    created_at timestamptz DEFAULT now());
CREATE INDEX ON memories (session_id, created_at DESC);
CREATE INDEX ON memories USING gin (search);
CREATE TABLE tags (memory_id text, tag text, PRIMARY KEY (memory_id, tag));
CREATE TABLE log (id bigserial PRIMARY KEY, action text, memory_id text, at timestamptz
    DEFAULT now())"""


def serve(address, parent):
    socket = zmq.Context().socket(zmq.REP)
    port = socket.bind_to_random_port("tcp://127.0.0.1")
    connection = psycopg.connect(address, autocommit=True)
    connection.execute(_TABLES)
    parent.send(f"tcp://127.0.0.1:{port}")
    while True:
        request = json.loads(socket.recv())
        data = _ACTIONS[request["action"]](connection, request)
        reply = {"status": "success", "request_id": request["request_id"], "data": data}
        socket.send(json.dumps(reply).encode())


def create(connection, request):
    memory_id, content = f"mem-{secrets.token_hex(16)}", request["payload"]["content"]
    connection.execute(
        "INSERT INTO memories (id, session_id, content, search)"
        " VALUES (%s, %s, %s, to_tsvector('english', %s))",
        [memory_id, request["session_id"], json.dumps(content), content["text"]],
    )
    for tag in request["payload"]["tags"]:
        connection.execute("INSERT INTO tags VALUES (%s, %s)", [memory_id, tag])
    log(connection, "create", memory_id)
    return {"memory_id": memory_id}


def read(connection, request):
    memory_id = request["payload"]["memory_id"]
    row = connection.execute("SELECT content FROM memories WHERE id = %s", [memory_id]).fetchone()
    tags = connection.execute("SELECT tag FROM tags WHERE memory_id = %s", [memory_id]).fetchall()
    log(connection, "read", memory_id)
    return {"content": row[0], "tags": [tag for (tag,) in tags]}


def log(connection, action, memory_id):
    connection.execute("INSERT INTO log (action, memory_id) VALUES (%s, %s)", [action, memory_id])


_ACTIONS = {"create": create, "read": read}


def main():
    address, work = calling.read_work()
    here, there = multiprocessing.Pipe()
    server = multiprocessing.Process(target=serve, args=(address, there), daemon=True)
    server.start()
    endpoint = here.recv()
    ids, sockets, context = [], threading.local(), zmq.Context()

    def ask(action, session, payload):
        if not hasattr(sockets, "of_thread"):
            sockets.of_thread = context.socket(zmq.REQ)
            sockets.of_thread.connect(endpoint)
        request_id = secrets.token_hex(8)
        request = {"action": action, "request_id": request_id, "session_id": session}
        sockets.of_thread.send(json.dumps(request | {"payload": payload}).encode())
        return json.loads(sockets.of_thread.recv())["data"]

    def create_one(memory):
        payload = {"content": {"text": memory[1]}, "tags": ["home"]}
        ids.append(ask("create", memory[0], payload)["memory_id"])
        return ids[-1]

    def read_one(memory_id):
        ask("read", "any", {"memory_id": memory_id})

    calling.serve(
        {
            calling.ROW: lambda n: calling.timed(create_one, work.part(calling.ROW, n)),
            calling.ROW_MANY: lambda n: calling.timed(
                create_one, work.part(calling.ROW_MANY, n), calling.CALLERS
            ),
            calling.READ_NEW: lambda n: calling.timed(
                read_one, work.part(calling.READ_NEW, n), prepare=create_one
            ),
            calling.READ_LATER: lambda n: calling.timed(read_one, ids),
            calling.READ_AGAIN: lambda n: calling.timed(read_one, ids),
            calling.READ_MANY: lambda n: calling.timed(read_one, ids, calling.CALLERS),
        }
    )
    server.terminate()
    context.destroy(linger=0)


if __name__ == "__main__":
    main()
