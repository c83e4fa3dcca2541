"""`make run`: the orchestrator and the admin side by side, until Ctrl-C or until one of them ends.

Runs with the Python of the virtual environment: `.venv/bin/python deploy/run.py`.
"""

import argparse
import asyncio
import contextlib
import signal
import socket
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MANAGE = (sys.executable, "manage.py")
GUNICORN = (sys.executable, "-m", "gunicorn", "--config", "deploy/gunicorn.conf.py")
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class ChildEndedError(Exception):
    """A child that should run has ended."""

    def __init__(self, name: str, process: Process) -> None:
        super().__init__(f"The {name} ended ({_describe(process)}); the lines above say why.")


class Household:
    """Children that live together: a signal, or the end of one, ends them all."""

    def __init__(self) -> None:
        self.is_stopping = False
        self._children: dict[str, Process] = {}
        self._outputs: list[asyncio.Task[None]] = []

    def stop(self) -> None:
        """Pass a request to stop on. The second one makes the orchestrator leave at once."""
        self.is_stopping = True
        for child in self._children.values():
            _terminate(child)

    async def start(self, name: str, *command: str) -> str:
        """Start a child; returns what it prints behind `ready`. Raises ChildEndedError."""
        child = await self._spawn(name, command, PIPE)
        assert child.stdout is not None
        async for line in child.stdout:
            if line.startswith(b"ready "):
                # A child whose output nobody reads would stand still once the pipe is full.
                self._outputs.append(asyncio.create_task(_pass_on(child.stdout)))
                return line.removeprefix(b"ready ").decode().strip()
            _say(line.decode(errors="replace").rstrip())
        await child.wait()
        raise ChildEndedError(name, child)

    async def complete(self, name: str, *command: str) -> None:
        """Run a child to its end. Raises ChildEndedError where that is not 0."""
        child = await self._spawn(name, command, None)
        if await child.wait() != 0:
            raise ChildEndedError(name, child)
        del self._children[name]

    async def wait_for_first_end(self) -> None:
        """Raises ChildEndedError where nobody asked for it."""
        waits = {asyncio.create_task(c.wait()): name for name, c in self._children.items()}
        done, pending = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for wait in pending:
            wait.cancel()
        if not self.is_stopping:
            name = waits[done.pop()]
            raise ChildEndedError(name, self._children[name])

    async def leave(self) -> int:
        """Wait until all have ended; returns the first exit code that is not 0."""
        codes = [await child.wait() for child in self._children.values()]
        return next((128 - code if code < 0 else code for code in codes if code), 0)

    async def _spawn(self, name: str, command: Sequence[str], stdout: int | None) -> Process:
        # A session of its own: the terminal sends Ctrl-C to us alone, and `stop` passes it on
        # once. Twice would be the second signal, which forces.
        child = await asyncio.create_subprocess_exec(
            *command, cwd=ROOT, stdin=DEVNULL, stdout=stdout, start_new_session=True
        )
        self._children[name] = child
        if self.is_stopping:
            _terminate(child)  # and no other one: each is asked once
        return child


async def run(admin: str) -> int:
    """Returns the exit code: 0 where a signal ended it and both stopped in good order."""
    household = Household()
    loop = asyncio.get_running_loop()
    for number in SIGNALS:
        loop.add_signal_handler(number, household.stop)
    try:
        await _serve(household, admin)
    except ChildEndedError as error:
        if not household.is_stopping:
            sys.stderr.write(f"{error}\n")
            household.stop()
            return await household.leave() or 1
    return await household.leave()


async def _serve(household: Household, admin: str) -> None:
    endpoints = await household.start("orchestrator", *MANAGE, "run_orchestrator")
    await household.complete("making of the admin's account", *MANAGE, "make_admin")
    pages = await household.start("admin", *GUNICORN, "--bind", admin, "memoryproject.wsgi")
    _say(f"The orchestrator listens on {endpoints}.")
    _say(f"The admin listens on {pages}/admin/.")
    _say("Ctrl-C stops both.")
    await household.wait_for_first_end()


def _terminate(child: Process) -> None:
    if child.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            child.terminate()


async def _pass_on(output: asyncio.StreamReader) -> None:
    async for line in output:
        _say(line.decode(errors="replace").rstrip())


def check_free(address: str) -> None:
    """Exit with one sentence where nothing can listen on HOST:PORT."""
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        socket.create_server((host, int(port)), family=family).close()
    except ValueError:
        sys.exit(f"{address!r} is no address for the admin; give HOST:PORT, as 127.0.0.1:8000.")
    except (OSError, OverflowError) as error:
        reason = str(getattr(error, "strerror", error)).partition(" (")[0]
        sys.exit(
            f"The admin cannot listen on {address}: {reason}. "
            "Name another address: make run ADMIN=127.0.0.1:8001"
        )


def _describe(process: Process) -> str:
    code = process.returncode or 0
    return f"by signal {-code}" if code < 0 else f"exit code {code}"


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser(description="Run the orchestrator and the admin.")
    parser.add_argument("--admin", default="127.0.0.1:8000", metavar="HOST:PORT")
    admin = parser.parse_args().admin
    check_free(admin)
    sys.exit(asyncio.run(run(admin)))


if __name__ == "__main__":
    main()
