"""Binds the endpoints, now or once whoever holds them has let go. Called by the server."""

import errno
import re
import socket
import time
from pathlib import Path
from threading import Event

import zmq

_PORT = re.compile(r"tcp://.*:([0-9]+)")
_LAST_PORT = 65_535
_PAUSE_SECONDS = 0.02  # all that clients notice of it


def bind(router: "zmq.Socket[bytes]", endpoint: str) -> str:
    """Returns the endpoint with the port that was really taken. Raises zmq.ZMQError."""
    port = _PORT.fullmatch(endpoint)
    if port and int(port[1]) > _LAST_PORT:
        # ZeroMQ would listen at its last 16 bits.
        raise zmq.ZMQError(errno.EINVAL, f"{endpoint} has no port from 0 to {_LAST_PORT}")
    if endpoint.startswith("ipc://"):
        path = Path(endpoint.removeprefix("ipc://"))
        if is_served(path):
            # ZeroMQ would take the path away from whoever serves there, without a word.
            raise zmq.ZMQError(errno.EADDRINUSE, f"{endpoint} is served by another process")
        path.parent.mkdir(parents=True, exist_ok=True)
    router.bind(endpoint)
    return router.getsockopt_string(zmq.LAST_ENDPOINT).rstrip("\0")


def bind_once_free(
    router: "zmq.Socket[bytes]", endpoint: str, deadline: float, stop: Event
) -> str | None:
    """The same, trying until `deadline` (monotonic) while another holds it; None after `stop`."""
    while not stop.is_set():
        try:
            return bind(router, endpoint)
        except zmq.ZMQError as error:
            if error.errno != errno.EADDRINUSE or time.monotonic() > deadline:
                raise
        stop.wait(_PAUSE_SECONDS)
    return None


def is_served(path: Path) -> bool:
    """Whether a process listens at the path of a Unix socket."""
    with socket.socket(socket.AF_UNIX) as asking:
        try:
            asking.connect(str(path))
        except OSError:
            return False
    return True
