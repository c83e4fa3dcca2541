"""A peer of the orchestrator that speaks raw ZeroMQ and JSON, as an old assistant does."""

import itertools
import json
import secrets
import time
from datetime import UTC, datetime

import zmq

SECONDS = 20

_numbers = itertools.count()
_run = secrets.token_hex(4)


def new_name(stem):
    """A name that no other test of this run, nor of an earlier one, has."""
    return f"{stem}-{_run}-{next(_numbers)}"


def request(action, payload=None, session_id="", **envelope):
    """One request; sent again as it is, it is the same request."""
    return {
        "action": action,
        "request_id": new_name("r"),
        "session_id": session_id,
        "payload": payload or {},
        "timestamp": datetime.now(UTC).isoformat(),
        **envelope,
    }


def create(session_id, text, **fields):
    payload = {"memory_type": "conversation", "content": {"text": text}, **fields}
    return request("create", payload, session_id)


def update(session_id, memory_id, text):
    return request("update", {"memory_id": memory_id, "content": {"text": text}}, session_id)


def delete(session_id, memory_id):
    return request("delete", {"memory_id": memory_id}, session_id)


def read(memory_id, **fields):
    return request("read", {"memory_id": memory_id, **fields}, "reader")


def page(session_id, **filter_):
    return request("batch_read", {"filter": {"limit": 1000, **filter_}}, session_id)


def status_of(pong):
    """Of a ping's reply; that a cache heard its heartbeat late, on a busy machine, is no fault."""
    return "ok" if pong["problems"].keys() <= {"cache"} else pong["status"]


class NoReply(AssertionError):
    pass


class Peer:
    """A DEALER by default. Requests may be in flight together; `delimiter` goes before the body."""

    def __init__(self, endpoint, kind=zmq.DEALER, delimiter=(b"",), **options):
        self._context = zmq.Context()
        self.socket = self._context.socket(kind)
        self._envelope = [] if kind == zmq.REQ else list(delimiter)
        for name, value in {"LINGER": 0, "SNDHWM": 0, "RCVHWM": 0, **options}.items():
            self.socket.setsockopt(getattr(zmq, name), value)
        self.socket.connect(endpoint)

    def send(self, *requests):
        for each in requests:
            self.send_body(json.dumps(each).encode())

    def send_body(self, body):
        self.socket.send_multipart([*self._envelope, body])

    def receive(self, seconds=SECONDS):
        """The next reply. Raises NoReply."""
        if not self.socket.poll(seconds * 1000):
            raise NoReply(f"no reply within {seconds} s")
        *envelope, body = self.socket.recv_multipart()
        assert envelope == self._envelope
        return json.loads(body)

    def ask(self, asked, seconds=SECONDS):
        self.send(asked)
        return self.receive(seconds)

    def data(self, asked, seconds=SECONDS):
        """The data of a reply that has to be a success."""
        reply = self.ask(asked, seconds)
        assert reply["status"] == "success", reply
        return reply["data"]

    def exchange(self, requests, seconds=SECONDS):
        """Send all at once and take a reply for each: {request_id: reply}."""
        self.send(*requests)
        return self.collect(len(requests), seconds)

    def collect(self, count, seconds=SECONDS):
        """Take `count` replies, each to another request."""
        deadline = time.monotonic() + seconds
        replies = {}
        while len(replies) < count:
            reply = self.receive(max(0, deadline - time.monotonic()))
            assert reply["request_id"] not in replies, reply
            replies[reply["request_id"]] = reply
        return replies

    def all_data(self, requests, seconds=SECONDS):
        """The data for each request, in the order of the requests; all have to succeed."""
        replies = self.exchange(requests, seconds)
        failed = [reply for reply in replies.values() if reply["status"] != "success"]
        assert not failed, failed[:3]
        return [replies[each["request_id"]]["data"] for each in requests]

    def ping(self, seconds=SECONDS):
        return status_of(self.ask({"action": "ping", "request_id": new_name("ping")}, seconds))

    def close(self):
        self._context.destroy(linger=0)
