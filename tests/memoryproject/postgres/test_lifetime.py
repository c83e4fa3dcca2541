"""Who keeps the server alive, and what ends it."""

import os
import shutil
import signal
import subprocess

import pytest

from memoryproject.postgres import launch
from memoryproject.postgres.layout import Layout
from memoryproject.postgres.processes import wait_for_end

from .cluster_tools import wait_until


def test_server_stops_after_its_last_client_was_killed(place):
    first, second = place.connect(), place.connect()
    first.kill()
    assert second.ask("sql SELECT 1") == [[1]]
    second.kill()
    place.wait_until_stopped()
    assert not place.layout.postmaster_pid.exists(), "it was stopped in good order"


def test_clients_that_follow_one_another_share_a_server(place):
    first = place.connect()
    second = place.connect()
    first.leave()
    third = place.connect()
    second.leave()
    assert first.server == second.server == third.server


def test_forked_process_keeps_the_server(place, other_place):
    parent, other = place.connect(), other_place.connect()
    child = parent.ask("fork")
    parent.kill()
    try:
        late = place.connect()
        late.leave()
        assert late.server == parent.server
        other.kill()
        other_place.wait_until_stopped()  # and so this one would have stopped as well
        assert place.is_served()
    finally:
        os.kill(child, signal.SIGKILL)
    place.wait_until_stopped()


def test_spawned_program_does_not_keep_the_server(place):
    client = place.connect()
    program = client.ask("spawn")
    client.kill()
    try:
        place.wait_until_stopped()
        os.kill(program, 0)  # lives on
    finally:
        os.kill(program, signal.SIGKILL)


def test_next_client_replaces_a_killed_supervisor(place):
    first = place.connect()
    os.kill(place.supervisor(), signal.SIGKILL)
    wait_until(lambda: not place.is_supervised())
    second = place.connect()
    assert second.server == first.server, "the server went on"
    assert place.is_supervised()
    first.leave()
    second.leave()
    place.wait_until_stopped()


def test_client_that_comes_while_the_server_stops_gets_a_new_one(place):
    for _ in range(2):
        place.connect().kill()
        wait_until(lambda: not place.layout.postmaster_pid.exists())
        late = place.connect()
        assert late.ask("sql SELECT 1") == [[1]]
        late.kill()


def test_server_that_ends_while_its_address_is_read_is_looked_for_again(tmp_path, monkeypatch):
    monkeypatch.setattr(launch, "_has_share", lambda _: True)
    monkeypatch.setattr(launch, "_is_served", lambda _: True)  # a moment ago
    assert launch._address_if_served(Layout(tmp_path)) is None


def test_terminated_supervisor_serves_its_clients_to_the_end(place):
    client = place.connect()
    os.kill(place.supervisor(), signal.SIGTERM)
    assert client.ask("sql SELECT 1") == [[1]]
    assert place.connect().server == client.server
    place.clients[-1].leave()
    client.leave()
    place.wait_until_stopped()


def test_removed_data_directory_can_be_made_anew_at_once(place, made_cluster):
    before = place.connect()
    old_postmaster = place.postmaster()
    shutil.rmtree(place.data_dir)
    place.data_dir.mkdir()
    subprocess.run(["cp", "-a", made_cluster, place.layout.cluster], check=True)
    after = place.connect()
    before.kill()
    wait_until(lambda: wait_for_end(old_postmaster, timeout_ms=0))
    assert after.ask("sql SELECT 1") == [[1]]
    assert place.connect().server == after.server, "the old one left the new one's socket alone"


@pytest.mark.acceptance
def test_eight_cold_starts_at_once_yield_one_server(empty_place):
    clients = [empty_place.start_client() for _ in range(8)]
    servers = [client.connect().server for client in clients]
    assert servers == servers[:1] * 8
    for client in clients:
        client.kill()
    empty_place.wait_until_stopped()
