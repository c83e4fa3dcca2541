"""A ROUTER on a real socket that behaves as a test scripts it: the network at its worst."""

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import zmq

from tests.waiting import free_port


@dataclass(frozen=True)
class Incoming:
    """A request as it came in."""

    envelope: list
    body: bytes

    def __getattr__(self, name):
        return json.loads(self.body).get(name)


class ScriptedRouter:
    """Calls `script(router, incoming)` in its thread for each request; the script answers."""

    def __init__(self, script: Callable, port: int = 0) -> None:
        self.script = script
        self.received: list[Incoming] = []
        self._changed = threading.Condition()
        self._stop = threading.Event()
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.ROUTER)
        self._socket.linger = 0
        self.port = port or free_port()
        self.endpoint = f"tcp://127.0.0.1:{self.port}"
        self._socket.bind(self.endpoint)
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def succeed(self, incoming: Incoming, data: object = None) -> None:
        self.reply(incoming, status="success", data=STORED if data is None else data)

    def refuse(self, incoming: Incoming, code: str, **details: object) -> None:
        error = {"code": code, "message": "Refused.", "details": details}
        self.reply(incoming, status="error", error=error)

    def reply(self, incoming: Incoming, **fields: object) -> None:
        body = {"request_id": incoming.request_id, "action": incoming.action, **fields}
        self.send(incoming, json.dumps(body).encode())

    def send(self, incoming: Incoming, body: bytes) -> None:
        self._socket.send_multipart([*incoming.envelope, body])

    def wait_for(self, count: int, seconds: float = 10) -> list[Incoming]:
        """The requests so far, once there are `count` of them."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.received) >= count, seconds)
            return list(self.received)

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()

    def __enter__(self) -> "ScriptedRouter":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                if not self._socket.poll(20):
                    continue
                *envelope, body = self._socket.recv_multipart()
                incoming = Incoming(envelope, body)
                with self._changed:
                    self.received.append(incoming)
                    self._changed.notify_all()
                self.script(self, incoming)
        finally:
            self._socket.close()
            self._context.term()


STORED = {"memory_id": "mem-1", "created_at": "2026-01-31T08:30:45.123456Z"}
MEMORY = {
    "memory_id": "mem-1",
    "session_id": "kitchen",
    "memory_type": "conversation",
    "content": {"text": "hello"},
    "tags": ["a"],
    "source_agent": None,
    "priority": 5,
    "created_at": "2026-01-31T08:30:45.123456Z",
    "updated_at": "2026-01-31T08:30:45.123456Z",
    "expires_at": None,
}


def answer(router: ScriptedRouter, incoming: Incoming) -> None:
    """The script of a router where nothing goes wrong."""
    router.succeed(
        incoming, {"memory_id": incoming.request_id, "created_at": "2026-01-31T08:30:00Z"}
    )


def keep_silent(router: ScriptedRouter, incoming: Incoming) -> None:
    """The script of a router that loses everything."""


class Shelf:
    """A script that keeps memories in a list, enough for the client's examples and commands."""

    def __init__(self) -> None:
        self.memories: list[dict] = []
        self.actions: list[str] = []
        self._answers: dict[str, object] = {}

    def __call__(self, router: ScriptedRouter, incoming: Incoming) -> None:
        request = json.loads(incoming.body)
        if request["action"] == "ping":
            router.reply(incoming, status="ok")
        elif (data := self.answer(request)) is None:
            router.refuse(incoming, "memory_not_found")
        else:
            router.succeed(incoming, data)

    def answer(self, request: dict) -> object:
        self.actions.append(request["action"])
        kept_under = json.dumps(request, sort_keys=True)
        if kept_under not in self._answers:
            serve = getattr(self, f"_{request['action']}")
            self._answers[kept_under] = serve(request["session_id"], request["payload"])
        return self._answers[kept_under]

    def _create_session(self, session_id, payload):
        return {"session_id": session_id, "created_at": now()}

    def _create(self, session_id, payload):
        content = payload["content"]
        content = {"text": content} if isinstance(content, str) else content
        created_at = payload.get("created_at", now())
        memory = {
            **MEMORY,
            "memory_id": f"mem-{len(self.memories)}",
            "session_id": session_id,
            "content": content,
            "tags": payload.get("tags", []),
            "source_agent": content.get("source_agent"),
            "created_at": created_at,
        }
        self.memories.append(memory)
        return {"memory_id": memory["memory_id"], "created_at": created_at}

    def _read(self, session_id, payload):
        named = (each for each in self.memories if each["memory_id"] == payload["memory_id"])
        return next(named, None)

    def _batch_read(self, session_id, payload):
        wanted = payload["filter"]
        since = wanted.get("time_range", {}).get("start", "")
        ascending = wanted.get("sort", {}).get("order") == "asc"
        found = [
            memory
            for memory in sorted(
                self.memories,
                key=lambda memory: datetime.fromisoformat(memory["created_at"]),
                reverse=not ascending,
            )
            if memory["session_id"] == session_id and memory["created_at"] >= since
        ]
        limit, offset = wanted.get("limit", 10), wanted.get("offset", 0)
        page_info = {"limit": limit, "offset": offset, "has_more": offset + limit < len(found)}
        page = found[offset : offset + limit]
        return {"memories": page, "total_count": len(found), "page_info": page_info}

    def _search(self, session_id, payload):
        words = set(payload["query"].lower().strip("?").split())
        found = [
            {**memory, "similarity_score": 0.5}
            for memory in self.memories
            if words & set(memory["content"]["text"].lower().split())
        ]
        metadata = {"search_type": "keyword"}
        return {"results": found, "total_count": len(found), "search_metadata": metadata}


def now() -> str:
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")
