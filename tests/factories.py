"""What tests store, send and wait for."""

import itertools
import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from threading import Barrier, Event

import psycopg
import zmq
from django.db import connection

from memories.changes import rows
from memories.models import MemoryEntry
from memories.services.store import NewMemory, store_memories
from tests.waiting import wait_until as wait_until
from zmqbridge.accesses import Accesses
from zmqbridge.answer import Answerer, wire_error
from zmqbridge.cache import ReadCache
from zmqbridge.clock import ReceiptClock
from zmqbridge.patience import Patience
from zmqbridge.protocol import Request, WireError, encode_error, read_envelope
from zmqbridge.readable import readable

MAX_BODY_BYTES = 1 << 20
SESSION = "session-of-the-test"
NEVER_MADE = "mem-" + "A" * 44

_numbers = itertools.count(1)


def request(action, payload=None, **envelope):
    """The body of a request, with a request id of its own."""
    fields = {
        "action": action,
        "request_id": f"request-{next(_numbers)}",
        "session_id": SESSION,
        "timestamp": "2026-01-31T08:30:45.123456Z",
        "payload": {} if payload is None else payload,
    }
    return json.dumps(fields | envelope).encode()


def create(text="hello", **payload):
    return {"memory_type": "conversation", "content": {"text": text}} | payload


def make_answerer(cache=None, accesses=None, report=dict, patience_seconds=5):
    cache = cache or trusted_cache()
    patience = Patience(patience_seconds, Event())
    return Answerer(cache, accesses or Accesses(), patience, report)


def trusted_cache(entries=100, max_bytes=1 << 20, ttl_seconds=60.0):
    cache = ReadCache(entries, max_bytes, ttl_seconds)
    cache.trust(3600)
    return cache


class Peer:
    """A client on a real socket, in a context of its own."""

    def __init__(self, endpoint):
        self.endpoint = endpoint
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.DEALER)
        self._socket.setsockopt(zmq.RCVTIMEO, 10_000)
        self._socket.connect(endpoint)

    def send(self, action, payload=None, **envelope):
        self._socket.send(request(action, payload, **envelope))

    def receive(self):
        return json.loads(self._socket.recv())

    def ask(self, action, payload=None, **envelope):
        self.send(action, payload, **envelope)
        return self.receive()

    def close(self):
        self._context.destroy(linger=0)


class Wire:
    """An answerer and the envelope's check before it, as the server has them."""

    def __init__(self, answerer):
        self.answerer = answerer
        self._clock = ReceiptClock()

    def answer(self, bodies):
        """The replies to bodies that arrive together, in their order."""
        read = [self._read(body) for body in bodies]
        answered = iter(self.answerer.answer([one for one in read if isinstance(one, Request)]))
        replies = [next(answered) if isinstance(one, Request) else one for one in read]
        return [json.loads(reply) for reply in replies]

    def send(self, action, payload=None, **envelope):
        [reply] = self.answer([request(action, payload, **envelope)])
        return reply

    def data(self, action, payload=None, **envelope):
        reply = self.send(action, payload, **envelope)
        assert reply["status"] == "success", reply
        return reply["data"]

    def error(self, action, payload=None, **envelope):
        reply = self.send(action, payload, **envelope)
        assert reply["status"] == "error", reply
        return reply["error"]

    def create(self, text="hello", session_id=SESSION, **payload):
        return self.data("create", create(text, **payload), session_id=session_id)["memory_id"]

    def found(self, session_id=SESSION, **filter_):
        """The texts that a batch_read finds."""
        page = self.data("batch_read", {"filter": filter_}, session_id=session_id)
        return [memory["content"]["text"] for memory in page["memories"]]

    def _read(self, body):
        try:
            return read_envelope(body, self._clock.tick(), MAX_BODY_BYTES)
        except WireError as error:
            action, request_id = readable(body)
            return encode_error(action, request_id, wire_error(error))


def new_memory(text="hello", session_id=SESSION, **values):
    defaults = {
        "key": next(_numbers).to_bytes(16),
        "session_id": session_id,
        "memory_type": "conversation",
        "content_json": json.dumps({"text": text}).encode(),
        "created_at": datetime.now(UTC),
    }
    return NewMemory(**(defaults | values))


def store(text="hello", session_id=SESSION, **values):
    """Store one memory; returns its id."""
    [stored] = store_memories([new_memory(text, session_id, **values)])
    return stored.memory_id


def database_now():
    """Within a transaction this is one moment, which makes expiry exact to test."""
    [(now,)] = rows("SELECT now()")
    return now


def set_expiry(memory_id, moment):
    MemoryEntry.all_objects.filter(id=memory_id).update(expires_at=moment)


def backend_pid():
    [(pid,)] = rows("SELECT pg_backend_pid()")
    return pid


def terminate_backend(pid):
    rows("SELECT pg_terminate_backend(%s)", [pid])


WAITING_FOR_A_ROW = """
    SELECT 1 FROM pg_stat_activity
    WHERE datname = current_database() AND wait_event_type = 'Lock'"""


def other_connection():
    """A connection to the test's database beside Django's."""
    parameters = connection.get_connection_params()
    wanted = ("host", "port", "user", "password", "dbname")
    return psycopg.connect(
        **{key: parameters[key] for key in wanted if key in parameters}, autocommit=True
    )


def run_together(works):
    """Call each in a thread of its own, all at once; returns what they gave."""
    gate = Barrier(len(works))

    def run(work):
        gate.wait(10)
        try:
            return work()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(run, works))
