"""The house keeps its own rules: settings told where they are looked for, pins, sizes, names."""

import ast
import importlib.metadata
import os
import re
import sys
from pathlib import Path

import pytest
from packaging.markers import Marker

ROOT = Path(__file__).parent.parent
PACKAGES = ("memoryproject", "memories", "zmqbridge")
README = (ROOT / "README.md").read_text()
SETTINGS = ast.parse((ROOT / "memoryproject" / "settings.py").read_text())
READERS = {"_whole", "_number", "_flag", "_choice", "_list"}
COMPOSE_ALONE = {
    "ALERT_WEBHOOK_URL",
    "BASE_BACKUP_DAYS",
    "BASE_BACKUP_KEEP",
    "POSTGRES_ARCHIVE_MODE",
}


def python_files(*folders):
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def told(default):
    """A default as a person would write it into a file."""
    if isinstance(default, bool):
        return str(default).lower()
    return f"{default:g}" if isinstance(default, float) else str(default)


def read_settings():
    """Every variable that settings.py reads, with its default."""
    found = {}
    for call in (node for node in ast.walk(SETTINGS) if isinstance(node, ast.Call)):
        by_env = isinstance(call.func, ast.Attribute) and ast.unparse(call.func.value) == "env"
        by_reader = isinstance(call.func, ast.Name) and call.func.id in READERS
        if not (by_env or by_reader) or not isinstance(call.args[0], ast.Constant):
            continue
        given = {keyword.arg: keyword.value for keyword in call.keywords}
        default = given.get("default") or (call.args[1] if by_reader else None)
        if default is not None:
            expression = compile(ast.Expression(default), "settings.py", "eval")
            found[call.args[0].value] = told(eval(expression, {"BASE_DIR": Path()}))
    return found


def test_settings_alone_read_the_environment():
    readers = [
        path.relative_to(ROOT).as_posix()
        for path in python_files(*PACKAGES)
        if re.search(r"os\.environ\[|os\.getenv|environ\.Env", path.read_text())
    ]
    assert readers == ["memoryproject/environment.py"]


def test_the_readme_tells_every_setting_with_its_default():
    rows = re.findall(r"^\| `([A-Z_]+)` \| (?:`(.*?)`|.*?) \|", README, re.M)
    assert dict(rows) == read_settings()


def test_the_example_of_the_environment_tells_every_setting_with_its_default():
    lines = re.findall(r"^# ?([A-Z_]+)=(.*)$", (ROOT / ".env.example").read_text(), re.M)
    assert dict(lines) == read_settings() | dict.fromkeys(COMPOSE_ALONE, "")


def test_the_readme_fits_a_reader():
    assert len(README.splitlines()) <= 250


@pytest.mark.parametrize(("folders", "most_lines"), [(PACKAGES, 400), (["tests"], 500)])
def test_no_file_grows_without_bound(folders, most_lines):
    files = [path for path in python_files(*folders) if "migrations" not in path.parts]
    lengths = {str(path): len(path.read_text().splitlines()) for path in files}
    assert {path: length for path, length in lengths.items() if length > most_lines} == {}


@pytest.mark.parametrize(
    "document",
    [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))],
    ids=lambda path: path.name,
)
def test_links_lead_somewhere(document):
    targets = [
        link.partition("#")[0] for link in re.findall(r"\]\(([^)]+)\)", document.read_text())
    ]
    local = [target for target in targets if target and "://" not in target]
    assert [target for target in local if not (document.parent / target).exists()] == []


def test_only_tests_and_benchmarks_look_beside_the_repository():
    beside = ".." + "/shared"
    names = ("*.py", "*.md", "*.yml", "*.txt", "Makefile", "Dockerfile")
    looked_at = [path for name in names for path in ROOT.glob(name)]
    looked_at += [*(ROOT / "docs").rglob("*.md"), *python_files(*PACKAGES)]
    looked_at += [path for path in (ROOT / "deploy").rglob("*") if path.is_file()]
    assert [path for path in looked_at if beside in path.read_text()] == []


def test_the_newest_migration_is_named():
    migrations = ROOT / "memories" / "migrations"
    newest = max(path.stem for path in migrations.glob("[0-9]*.py"))
    assert (migrations / "max_migration.txt").read_text().split() == [newest]


def pins():
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    lines += (ROOT / "requirements-dev.txt").read_text().splitlines()
    lines += (ROOT / "requirements-traces.txt").read_text().splitlines()
    wanted = (line.partition("#")[0].partition(";") for line in lines)
    return [
        pin.strip()
        for pin, _, marker in wanted
        if pin.strip() and not pin.startswith("-r") and (not marker or Marker(marker).evaluate())
    ]


def canonical(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def test_pins_are_exact_and_installed():
    loose = [pin for pin in pins() if not re.fullmatch(r"[\w.-]+(\[[\w,-]+\])?==[\w.]+", pin)]
    assert loose == []
    pinned = dict(re.sub(r"\[.*\]", "", pin).split("==") for pin in pins())
    assert {name: importlib.metadata.version(name) for name in pinned} == pinned


def test_what_the_packages_import_is_pinned():
    names = ("requirements.txt", "requirements-traces.txt")
    runtime = "\n".join((ROOT / name).read_text() for name in names)
    pinned = {canonical(name) for name in re.findall(r"^[\w.-]+", runtime, re.M)}
    providers = importlib.metadata.packages_distributions()
    foreign = imported_names() - sys.stdlib_module_names - set(PACKAGES)
    provided = {name: {canonical(each) for each in providers.get(name, [])} for name in foreign}
    assert {name: by for name, by in provided.items() if not by & pinned} == {}


def imported_names():
    found = set()
    for path in python_files(*PACKAGES):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found.add(node.module.partition(".")[0])
    return found


def test_the_image_runs_as_nobody_special_and_has_what_it_starts():
    dockerfile = (ROOT / "Dockerfile").read_text()
    assert re.findall(r"^USER (.+)$", dockerfile, re.M)[-1] not in {"root", "0"}
    copied = " ".join(re.findall(r"^COPY (.+) \S+$", dockerfile, re.M)).split()
    assert {"manage.py", "deploy", *PACKAGES} <= set(copied)
    assert [name for name in copied if not (ROOT / name).exists()] == []


def test_the_ci_script_and_the_runner_can_be_executed():
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
    assert os.access(ROOT / "manage.py", os.X_OK)
