"""Whether the addresses in the settings are free or held by one of ours. For `manage.py doctor`."""

import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import zmq
from django.conf import settings

from memories.doctor.findings import Finding, broken, warning, well
from zmqbridge.binding import is_served
from zmqbridge.client import Client, ClientError

_ANSWER_SECONDS = 3.0
_EVERYWHERE = {"*": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - is asked


def look_at_endpoints() -> Iterator[Finding]:
    for endpoint in settings.ORCHESTRATOR_ENDPOINTS:
        yield _look(endpoint)
    if settings.METRICS_BIND:
        yield _look_at_metrics(*settings.METRICS_BIND)


def _look(endpoint: str) -> Finding:
    if endpoint.startswith("ipc://"):
        path = Path(endpoint.removeprefix("ipc://"))
        # Never bound to try: ZeroMQ takes the path from whoever serves there.
        return _ask(endpoint, endpoint) if is_served(path) else well(f"{endpoint} is free.")
    host, _, port = endpoint.removeprefix("tcp://").rpartition(":")
    host = host.strip("[]")
    if port in ("0", "*"):
        return well(f"{endpoint} takes any free port.")
    host = _EVERYWHERE.get(host, host)
    if _listens(host, int(port)):
        return _ask(endpoint, f"tcp://[{host}]:{port}" if ":" in host else f"tcp://{host}:{port}")
    return _try_to_bind(endpoint)


def _ask(endpoint: str, reached_at: str) -> Finding:
    try:
        with Client(reached_at, timeout_seconds=_ANSWER_SECONDS) as client:
            health = client.ping()
    except ClientError:
        return broken(
            f"{endpoint} is taken, and what holds it does not answer as an orchestrator does.",
            "Stop it (`ss -ltnp` tells what it is), or name another address in "
            "ORCHESTRATOR_ENDPOINTS.",
        )
    if health.is_ok:
        return well(f"An orchestrator answers at {endpoint}.")
    told = " ".join(map(str, health.problems.values()))
    return warning(f"The orchestrator at {endpoint} is not well: {told}", "Its log tells why.")


def _try_to_bind(endpoint: str) -> Finding:
    with zmq.Context() as context, context.socket(zmq.ROUTER) as router:
        router.linger = 0
        try:
            router.bind(endpoint)
        except zmq.ZMQError as error:
            return broken(
                f"{endpoint} cannot be bound: {error}.",
                "Name an address of this machine in ORCHESTRATOR_ENDPOINTS, on a free port.",
            )
    return well(f"{endpoint} is free.")


def _look_at_metrics(host: str, port: int) -> Finding:
    where = f"{host}:{port}"
    reached_at = _EVERYWHERE.get(host, host)
    if port == 0 or not _listens(reached_at, port):
        return _try_to_listen(host, port)
    url = f"http://{f'[{reached_at}]' if ':' in reached_at else reached_at}:{port}/metrics"
    with suppress(URLError, OSError, ValueError), urlopen(url, timeout=_ANSWER_SECONDS) as page:
        if b"memories_build_info" in page.read():
            return well(f"Metrics are served at {where}.")
    return broken(
        f"The port of the metrics, {where}, is taken by something else.",
        "Stop it, or name another address in METRICS_BIND.",
    )


def _try_to_listen(host: str, port: int) -> Finding:
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        socket.create_server((str(address[0]), port), family=family).close()
    except OSError as error:
        return broken(
            f"The metrics cannot be served at {host}:{port}: {error.strerror}.",
            "Name an address of this machine in METRICS_BIND, on a free port.",
        )
    return well(f"The port of the metrics, {host}:{port}, is free.")


def _listens(host: str, port: int) -> bool:
    with suppress(OSError), socket.create_connection((host, port), timeout=_ANSWER_SECONDS):
        return True
    return False
