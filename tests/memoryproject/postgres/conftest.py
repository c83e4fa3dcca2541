import os
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest

from memoryproject.postgres.account import choose_account

from .cluster_tools import Place


def make_directory():
    """Not pytest's own, which root's server account may not enter."""
    path = Path(tempfile.mkdtemp(prefix="mp-", dir="/tmp"))
    path.chmod(0o755)
    return path


@contextmanager
def make_place():
    directory = make_directory()
    place = Place(directory / "var")
    yield place
    place.kill_everything()
    shutil.rmtree(directory)
    if place.layout.socket_dir != place.layout.run:
        shutil.rmtree(place.layout.socket_dir, ignore_errors=True)


def give_cluster(place, cluster):
    place.data_dir.mkdir()
    subprocess.run(["cp", "-a", cluster, place.layout.cluster], check=True)
    return place


@pytest.fixture
def empty_place():
    """A data directory without a cluster."""
    with make_place() as place:
        yield place


@pytest.fixture(scope="session")
def made_cluster():
    """A stopped server's data directory, from which each test gets a copy."""
    directory = make_directory()
    place = Place(directory / "var")
    place.connect().leave()
    place.wait_until_stopped()
    yield place.layout.cluster
    place.kill_everything()
    shutil.rmtree(directory)


@pytest.fixture
def place(empty_place, made_cluster):
    """A data directory with a stopped cluster."""
    return give_cluster(empty_place, made_cluster)


@pytest.fixture
def other_place(made_cluster):
    with make_place() as place:
        yield give_cluster(place, made_cluster)


@pytest.fixture
def account(tmp_path):
    return choose_account(tmp_path / "postgres")


as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root hands over to another account")
