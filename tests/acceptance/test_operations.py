"""docs/operations.md: its commands run, its table has every check, and the units are sound."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.needs import need
from zmqbridge.management.commands.doctor import CHECKS

from .processes import REPOSITORY, environment, run_command

PAGE = (REPOSITORY / "docs" / "operations.md").read_text()
UNITS = REPOSITORY / "deploy" / "systemd"
# What tells of something to look at is no failure of the command.
ALLOWED = {"doctor": {0, 2}, "tune_postgres": {0, 1}}
MOST_EXPOSED = 30  # of 100, by `systemd-analyze security`


@pytest.mark.timeout(240)
def test_the_commands_run(server, tmp_path):
    server.rows("CREATE DATABASE operated", database="postgres")
    settings = {"DATABASE_URL": server.url("operated"), "DATA_DIR": tmp_path}
    settings["ORCHESTRATOR_ENDPOINTS"] = "tcp://127.0.0.1:0"
    assert run_command("migrate", "--verbosity=0", **settings).returncode == 0
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    blocks = re.findall(r"^```sh run\n(.*?)^```", PAGE, re.M | re.S)
    commands = [line for block in blocks for line in block.splitlines()]
    assert len(commands) > 7
    for command in commands:
        done = subprocess.run(
            ["bash", "-euc", command],
            cwd=REPOSITORY,
            env=environment(PATH=path, **settings),
            capture_output=True,
            text=True,
            check=False,
        )
        allowed = ALLOWED.get(command.split()[2], {0})
        assert done.returncode in allowed, (command, done.stdout, done.stderr)


def test_the_checks_of_the_doctor_are_the_documented_ones():
    told = re.findall(r"^\| `(\w+)` \|", PAGE, re.M)
    assert told == [check.name for check in CHECKS]


@pytest.fixture
def units(tmp_path):
    """The units, with a folder of programs that is there."""
    need(shutil.which("systemd-analyze"), "REQUIRE_SYSTEMD", "systemd-analyze is not here.")
    python = tmp_path / "release" / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)
    (tmp_path / "current").symlink_to("release")
    for unit in UNITS.iterdir():
        text = unit.read_text().replace("/srv/memories", str(tmp_path))
        (tmp_path / unit.name).write_text(text)
    return tmp_path


def analyze(*arguments):
    return subprocess.run(
        ["systemd-analyze", *arguments], capture_output=True, text=True, check=False
    )


def test_systemd_takes_the_units(units):
    names = ("memories@release.service", "memories-admin.service", "memories-backup.timer")
    shutil.copy(units / "memories@.service", units / names[0])
    done = analyze("verify", "--man=no", *(str(units / name) for name in names))
    told = [line for line in done.stderr.splitlines() if str(units) in line or "memories" in line]
    assert (done.returncode, told) == (0, []), done.stderr


@pytest.mark.parametrize("name", ["memories@.service", "memories-admin.service"])
def test_the_services_may_do_little(units, name):
    threshold = f"--threshold={MOST_EXPOSED}"
    done = analyze("security", "--offline=true", "--no-pager", threshold, str(units / name))
    assert done.returncode == 0, done.stdout
