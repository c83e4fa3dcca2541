"""Waiting for what other threads and processes do, and the ports at which they are found."""

import random
import socket
import time

# Below those that the system gives to connections, and to whoever asks for any.
PORTS = range(20_000, 32_768)


def wait_until(claim, seconds=20):
    """Wait for a condition with a deadline; returns what it gave."""
    deadline = time.monotonic() + seconds
    while not (result := claim()):
        assert time.monotonic() < deadline, f"not within {seconds} s: {claim}"
        time.sleep(0.005)
    return result


def free_port():
    """One at which nobody listens, and where nobody comes by chance."""
    while True:
        port = random.choice(PORTS)
        with socket.socket() as trial:
            try:
                trial.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
