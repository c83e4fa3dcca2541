"""The database backend, as Django uses it."""

import pytest

from .cluster_tools import REPOSITORY, run_python

PROGRAM = REPOSITORY / "tests/memoryproject/postgres/django_program.py"


def run_steps(place, *steps):
    return run_python(str(PROGRAM), str(place.data_dir), *steps)


def test_command_without_database_starts_nothing(empty_place):
    result = run_steps(empty_place, "check")
    assert result.returncode == 0, result.stderr
    assert not empty_place.data_dir.exists()


@pytest.mark.parametrize("step", ["use", "tests", "shell"])
def test_step(place, step):
    result = run_steps(place, step)
    assert result.returncode == 0, result.stderr
    assert ("in psql" in result.stdout) == (step == "shell")


@pytest.mark.parametrize("step", ["restart", "crash"])
def test_full_pool_recovers_within_its_timeout(place, step):
    result = run_steps(place, step)
    assert result.returncode == 0, result.stderr


def test_command_shows_one_sentence_where_the_server_cannot_run(empty_place):
    result = run_steps(empty_place, "refuse")
    assert result.returncode == 1
    assert result.stderr == "ServerCannotRun: There is no program 'postgres' in bin_dir /nowhere.\n"
