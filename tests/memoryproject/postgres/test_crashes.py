"""What survives kill -9, and what a crash leaves in the way of the next start."""

import os
import signal
import threading

import pytest

from memoryproject.postgres.processes import processes_in

from .cluster_tools import wait_until


def kill_server(place):
    """The postmaster and all it forked, at once: nothing is written any more."""
    for process_id in processes_in(place.layout.cluster):
        os.kill(process_id, signal.SIGKILL)
    wait_until(lambda: not place.is_served() and not place.is_supervised())


def test_stale_pid_files_that_name_a_living_process_do_not_block_the_start(place):
    place.connect()
    kill_server(place)
    socket_lock = place.layout.socket_dir / ".s.PGSQL.5432.lock"
    for path in (place.layout.postmaster_pid, socket_lock):
        lines = path.read_text().splitlines()
        path.write_text("\n".join([str(os.getpid()), *lines[1:]]) + "\n")
    assert place.connect().ask("sql SELECT 1") == [[1]]


def test_next_client_starts_the_server_that_was_killed(place):
    first = place.connect()
    first.ask("sql CREATE TABLE kept (id int)")
    os.kill(place.postmaster(), signal.SIGKILL)
    second = place.connect()
    assert second.server["started"] != first.server["started"]
    assert second.ask("sql SELECT count(*) FROM kept") == [[0]]


@pytest.mark.acceptance
def test_busy_backend_of_a_killed_server_does_not_block_the_next_one(place):
    busy = place.connect()
    query = "SELECT count(*) FROM generate_series(1, 200000) a, generate_series(1, 200000) b"
    busy.process.stdin.write(f"sql {query}\n")
    busy.process.stdin.flush()
    watcher = place.connect()
    active = "sql SELECT count(*) FROM pg_stat_activity WHERE state = 'active'"
    wait_until(lambda: watcher.ask(active) == [[2]])
    os.kill(place.postmaster(), signal.SIGKILL)
    assert place.connect().ask("sql SELECT 1") == [[1]]


@pytest.mark.acceptance
def test_no_acknowledged_commit_is_lost_when_everything_is_killed(place):
    place.connect().ask("sql CREATE TABLE commits (id int PRIMARY KEY)")
    acknowledged = []
    for round_number in range(3):
        client = place.connect()
        writer = threading.Thread(target=commit_until_killed, args=(client, acknowledged))
        writer.start()
        wanted = 50 * (round_number + 1)
        wait_until(lambda wanted=wanted: len(acknowledged) >= wanted)
        supervisor = place.supervisor()
        for process_id in (*processes_in(place.layout.cluster), supervisor, client.process.pid):
            os.kill(process_id, signal.SIGKILL)
        writer.join()
        wait_until(lambda: not place.is_served() and not place.is_supervised())
    stored = place.connect().ask("sql SELECT id FROM commits")
    assert set(acknowledged) <= {row[0] for row in stored}


def commit_until_killed(client, acknowledged):
    first = len(acknowledged) * 2
    try:
        for number in range(first, first + 100_000):
            client.ask(f"sql INSERT INTO commits VALUES ({number}) RETURNING id")
            acknowledged.append(number)
    except (AssertionError, OSError):
        return
