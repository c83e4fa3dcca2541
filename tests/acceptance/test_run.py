"""`make run` keeps the orchestrator and the admin together: deploy/run.py with real children."""

import os
import pty
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from contextlib import suppress
from pathlib import Path

import pytest

from zmqbridge.client import Client

from .processes import REPOSITORY, environment, wait_until

STOP_SECONDS = 20


class Runner:
    """deploy/run.py on a terminal of its own, so that Ctrl-C can be typed."""

    def __init__(self, settings, admin="127.0.0.1:0"):
        self._keyboard, terminal = pty.openpty()
        self.process = subprocess.Popen(
            [sys.executable, "deploy/run.py", "--admin", admin],
            cwd=REPOSITORY,
            env=environment(ORCHESTRATOR_ENDPOINTS="tcp://127.0.0.1:0", **settings),
            stdin=terminal,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            # What a session's leader opens first becomes its terminal, whose keys are signals.
            preexec_fn=lambda: os.close(os.open(os.ttyname(0), os.O_RDWR)),
            text=True,
        )
        os.close(terminal)
        self.text = ""

    def read_until(self, pattern):
        """The match in what was printed so far; fails where the process ends before."""
        while not (found := re.search(pattern, self.text)):
            line = self.process.stdout.readline()
            assert line, self.text
            self.text += line
        return found

    def press_ctrl_c(self):
        os.write(self._keyboard, b"\x03")

    def exit_code(self):
        self.text += self.process.communicate(timeout=STOP_SECONDS)[0]
        return self.process.returncode

    def children(self):
        """Process ids by what the children are."""
        task = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        commands = {}
        for number in task.read_text().split():
            with suppress(OSError):  # it ended meanwhile
                commands[number] = Path(f"/proc/{number}/cmdline").read_text()
        names = {"run_orchestrator": "orchestrator", "gunicorn": "admin"}
        return {
            name: int(number)
            for number, command in commands.items()
            for word, name in names.items()
            if word in command
        }

    def close(self):
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(STOP_SECONDS)
        self.process.stdout.close()
        os.close(self._keyboard)


@pytest.fixture
def run(server):
    started = []

    def run(**options):
        started.append(Runner(server.settings, **options))
        return started[-1]

    yield run
    for runner in started:
        runner.close()


def have_ended(process_ids):
    return not any(Path(f"/proc/{number}").exists() for number in process_ids)


def test_both_answer_and_ctrl_c_stops_both_in_good_order(run):
    runner = run()
    endpoint = runner.read_until(r"orchestrator listens on (\S+)\.\n")[1]
    page = runner.read_until(r"admin listens on (\S+)\.\n")[1]
    with Client(endpoint) as client:
        assert client.ping().problems.keys() <= {"cache"}
    with urllib.request.urlopen(page) as answer:
        assert b"password" in answer.read()
    children = runner.children()
    assert children.keys() == {"orchestrator", "admin"}
    runner.press_ctrl_c()
    assert runner.exit_code() == 0
    assert have_ended(children.values())


@pytest.mark.parametrize("victim", ["orchestrator", "admin"])
def test_the_end_of_one_ends_the_other_and_is_told(run, victim):
    runner = run()
    runner.read_until("Ctrl-C")
    children = runner.children()
    os.kill(children[victim], signal.SIGKILL)
    assert runner.exit_code() == 128 + signal.SIGKILL
    assert f"The {victim} ended (by signal 9)" in runner.text
    wait_until(lambda: have_ended(children.values()))


def test_a_stop_while_it_starts_leaves_nothing_behind(run):
    runner = run()
    children = wait_until(runner.children)
    runner.process.terminate()
    runner.exit_code()
    assert "listens" not in runner.text
    assert have_ended(children.values())


def test_a_port_in_use_is_told_in_one_sentence(run):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        runner = run(admin=f"127.0.0.1:{taken.getsockname()[1]}")
        assert runner.exit_code() == 1
    sentence = r"The admin cannot listen on \S+: Address already in use\. Name another .*\n"
    assert re.fullmatch(sentence, runner.text)
