"""A real HTTP endpoint on the loopback that answers as a test tells it to."""

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = Callable[["Handler"], None]


class Endpoint:
    """Answers each request with the next of `script`, and well when the script is at its end."""

    def __init__(self) -> None:
        self.script: list[Answer] = []
        self.requests: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self.released = threading.Event()  # ends the answers that hang
        self._server = QuietServer(("127.0.0.1", 0), Handler)
        self._server.endpoint = self
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def stop(self) -> None:
        self.released.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class QuietServer(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that leaves before the answer is what some tests are about."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    @property
    def endpoint(self) -> Endpoint:
        return self.server.endpoint

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        sent = json.loads(self.rfile.read(length))
        self.texts = sent.get("input", [])
        self.endpoint.requests.append(sent | {"path": self.path})
        self.endpoint.keys.append(self.headers["Authorization"])
        script = self.endpoint.script
        (script.pop(0) if script else vectors())(self)

    def reply(self, status: int, body: bytes, content_type: str = "application/json", **headers):
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        pass


def vectors(change: Callable[[list[dict[str, Any]]], Any] = lambda items: None) -> Answer:
    """One vector a text, [number of characters, 1, 0]; `change` may spoil the list in place."""

    def answer(handler: Handler) -> None:
        items = [
            {"index": index, "embedding": [len(text), 1.0, 0.0]}
            for index, text in enumerate(handler.texts)
        ]
        change(items)
        handler.reply(200, json.dumps({"object": "list", "data": items}).encode())

    return answer


def status(code: int, **headers: str) -> Answer:
    return lambda handler: handler.reply(
        code, b"<html><h1>Sorry</h1></html>", "text/html", **headers
    )


def body(text: str) -> Answer:
    return lambda handler: handler.reply(200, text.encode())


def hang(handler: Handler) -> None:
    handler.endpoint.released.wait(30)
    handler.close_connection = True


def trickle(handler: Handler) -> None:
    """A byte now and then, so that no single read ever times out."""
    handler.send_response(200)
    handler.send_header("Content-Length", "100000")
    handler.end_headers()
    try:
        while not handler.endpoint.released.wait(0.02):
            handler.wfile.write(b" ")
    except OSError:
        pass  # the client has left, as it should
    handler.close_connection = True


def drop(handler: Handler) -> None:
    handler.close_connection = True
