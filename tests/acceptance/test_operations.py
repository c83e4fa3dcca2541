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


class Machine:
    """A folder that stands for a machine, with stubs of what would change the real one."""

    def __init__(self, root, settings):
        self.root, self._settings = root, settings
        self._said = root / "said"
        self._said.touch()
        for folder in ("bin", "etc/systemd/system", "srv", "var/lib/memories"):
            (root / folder).mkdir(parents=True)
        for name in ("apt-get", "useradd", "systemctl", "journalctl"):
            self._stub(name, "exit 0")
        self._stub("runuser", 'shift 3; exec "$@"')
        # A virtual environment whose Python is this one, and whose packages are there.
        self._stub(
            "python3",
            'mkdir -p "$3/bin"',
            f"echo 'exec {sys.executable} \"$@\"' > $3/bin/python",
            f"echo 'echo pip $* >> {self._said}' > $3/bin/pip",
            'chmod +x "$3"/bin/*',
        )

    def _stub(self, name, *lines):
        stub = self.root / "bin" / name
        stub.write_text("\n".join(["#!/bin/sh -eu", f'echo "{name} $*" >> {self._said}', *lines]))
        stub.chmod(0o755)

    def run(self, section):
        """The block of that section; what it asked of the stubs."""
        [script] = re.findall(rf"^## {section}\n.*?^```sh\n(.*?)^```", PAGE, re.M | re.S)
        for path in ("/srv/memories", "/etc/", "/var/lib/memories"):
            script = script.replace(path, f"{self.root}{path}")
        script = script.replace("REPOSITORY", str(REPOSITORY)).replace(
            "-o memories -g memories", ""
        )
        done = subprocess.run(
            ["bash", "-euc", script],
            cwd=self.root,
            env=environment(
                PATH=f"{self.root / 'bin'}{os.pathsep}{os.environ['PATH']}", **self._settings
            ),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        said, self.told = self._said.read_text().splitlines(), done.stdout
        self._said.write_text("")
        return said


def test_the_steps_of_an_installation_and_of_an_upgrade_fit_together(server, tmp_path):
    need((REPOSITORY / ".git").exists(), "REQUIRE_HISTORY", "The repository cannot be cloned.")
    server.rows("CREATE DATABASE installed", database="postgres")
    settings = {"DATABASE_URL": server.url("installed")}
    assert run_command("migrate", "--verbosity=0", **settings).returncode == 0
    machine = Machine(tmp_path, settings)
    said = machine.run("Install on a small machine")
    assert "pip install -r requirements.txt" in said
    assert "The admin's account is admin" in machine.told
    current = tmp_path / "srv/memories/current"
    assert (current / ".env").read_text() == (REPOSITORY / ".env.example").read_text()
    assert (current / ".env").resolve() == tmp_path / "etc/memories.env"
    assert (tmp_path / "etc/memories.env").stat().st_mode & 0o777 == 0o600
    installed = {unit.name for unit in (tmp_path / "etc/systemd/system").iterdir()}
    assert units_named(said) <= installed
    old, new = current.readlink().name, "0.3.0"
    (current.parent / new).mkdir()
    said = machine.run("Upgrade")
    assert units_named(said) <= installed
    assert current.readlink().name == new
    asked = [line.removeprefix("systemctl ") for line in said if line.startswith("systemctl")]
    assert asked[:2] == [f"start memories@{new}", f"stop memories@{old}"]
    assert asked[-1] == "restart memories-admin"


def units_named(said):
    """The files of the units that systemctl was told of."""
    words = " ".join(line for line in said if line.startswith("systemctl")).split()
    named = {re.sub(r"@.*", "@", word) for word in words if word.startswith("memories")}
    return {name if "." in name else f"{name}.service" for name in named}


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
