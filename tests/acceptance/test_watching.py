"""What an orchestrator tells of itself: logs, metrics."""

import json
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from tests.waiting import free_port

from .processes import REPOSITORY, Orchestrator, environment, run_command, wait_until
from .wire import create, new_name, request


def metrics_of(url):
    with urllib.request.urlopen(url, timeout=10) as reply:
        return reply.read().decode()


def test_json_lines_carry_the_id_that_the_client_sees(start, connect):
    orchestrator = start(LOG_FORMAT="json", LOG_LEVEL="DEBUG", METRICS_BIND="127.0.0.1:0")
    reply = connect(orchestrator).ask(create(new_name("s"), "text"))
    lines = [json.loads(line) for line in orchestrator.errors().splitlines()]
    assert all({"time", "level", "logger", "message"} <= line.keys() for line in lines)
    told = wait_until(
        lambda: [
            line
            for line in map(json.loads, orchestrator.errors().splitlines())
            if line.get("request_id") == reply["request_id"]
        ]
    )
    assert [(line["action"], line["outcome"], line["level"]) for line in told] == [
        ("create", "success", "DEBUG")
    ]


@pytest.fixture
def broken(server, tmp_path):
    """One whose tables were damaged while it runs."""
    server.rows("CREATE DATABASE broken", database="postgres")
    settings = {**server.settings, "DATABASE_URL": server.url("broken"), "LOG_FORMAT": "json"}
    orchestrator = Orchestrator(tmp_path / "log", **settings)
    orchestrator.wait_ready()
    server.rows("DROP TABLE agent_states", database="broken")
    yield orchestrator
    orchestrator.close()
    server.rows("DROP DATABASE broken WITH (FORCE)", database="postgres")


def test_a_fault_is_told_to_the_client_and_logged_under_one_reference(broken, connect):
    asked = request("get_state", {"agent_id": "cook"}, new_name("s"))
    error = connect(broken).ask(asked)["error"]
    assert "agent_states" not in str(error)
    lines = map(json.loads, broken.errors().splitlines())
    [told] = [line for line in lines if line.get("reference")]
    assert told["reference"] == error["details"]["reference"]
    assert told["reference"] in error["message"]
    assert (told["action"], told["request_id"]) == ("get_state", asked["request_id"])
    assert "agent_states" in told["exc_info"]


@pytest.fixture
def free_address():
    return f"127.0.0.1:{free_port()}"


@pytest.fixture
def full_disk(server, free_address):
    """One whose standard error goes to a disk without room."""
    orchestrator = Orchestrator(
        Path("/dev/full"), **server.settings, LOG_LEVEL="DEBUG", METRICS_BIND=free_address
    )
    yield orchestrator.wait_ready()
    orchestrator.close()


def test_a_full_log_disk_stops_nothing_and_is_counted(full_disk, free_address, connect):
    peer = connect(full_disk)
    session = new_name("s")
    assert all(peer.data(create(session, str(number))) for number in range(20))
    lost = "memories_log_lines_lost_total "
    told = metrics_of(f"http://{free_address}/metrics")
    [count] = [line for line in told.splitlines() if line.startswith(lost)]
    assert float(count.removeprefix(lost)) >= 20
    code, _ = full_disk.stop()
    assert code == 0


def test_a_full_disk_under_both_outputs_stops_no_start(server, free_address, connect):
    endpoint = f"tcp://{free_address}"
    with Path("/dev/full").open("wb") as full:
        process = subprocess.Popen(
            [sys.executable, "manage.py", "run_orchestrator", "--bind", endpoint],
            cwd=REPOSITORY,
            env=environment(**server.settings),
            stdout=full,
            stderr=full,
        )
    try:
        assert connect(endpoint).data(create(new_name("s"), "text"), seconds=60)
        process.terminate()
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait()


def test_backups_are_made_by_a_process_of_their_own(server, orchestrator, tmp_path):
    settings = {**server.settings, "BACKUP_SCHEDULE": "* * * * *", "BACKUP_DIR": tmp_path}
    process = subprocess.Popen(
        [sys.executable, "manage.py", "run_backups"],
        cwd=REPOSITORY,
        env=environment(**settings),
        stdout=subprocess.PIPE,
    )
    try:
        assert process.stdout.readline() == b"ready * * * * *\n"
        wait_until(lambda: list(tmp_path.glob("*.dump.json")), seconds=100)
        checked = run_command("run_backups", "--check", **settings)
        assert checked.returncode == 0, checked.stderr
        process.terminate()
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_backups_without_a_schedule_are_refused(server):
    refused = run_command("run_backups", **server.settings, BACKUP_SCHEDULE="")
    assert refused.returncode != 0
    assert refused.stderr.strip() == (
        "CommandError: BACKUP_SCHEDULE is not set: give it a line of cron, as 15 3 * * *."
    )
