"""How long the admin's pages take in a browser, with many memories stored.

    python -m benchmarks.admin_pages [--rows 1000000] [--json FILE]

Loads so many memories of 1000 owners and 10 000 of one more, with vectors, into a database of its
own (or adds them to that of DATABASE_URL), starts the orchestrator and the admin under gunicorn,
and opens each page in Chromium: once at first, then ten times. Needs what requirements-dev.txt
names, and Debian's chromium.
"""

import argparse
import json
import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from urllib.parse import quote

from playwright.sync_api import Page, sync_playwright
from rich.console import Console
from rich.table import Table

from benchmarks.bench import Bench
from benchmarks.serving import ROOT, Served, serving
from benchmarks.workload import LARGE_USER

_TIMES = 10
_LARGE_OWNER = 10_000
# Milliseconds until the answer was there, and until the page was loaded.
_TIMING = """() => {
    const [its] = performance.getEntriesByType("navigation");
    return [its.responseEnd, its.loadEventEnd];
}"""


@dataclass(frozen=True, slots=True)
class Admin:
    """Where it answers, and a superuser."""

    url: str
    account: str
    password: str


@dataclass(frozen=True, slots=True)
class Timed:
    """Of one page, in milliseconds: `first` and `loaded` until the page is loaded with its styles,
    scripts and pictures, `answered` until its HTML is there; medians but for the first."""

    first: float
    answered: float
    loaded: float
    slowest: float


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.admin_pages")
    parser.add_argument("--rows", type=int, default=1_000_000, help="0: what is stored already")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    with serving({"EMBEDDER": os.environ.get("EMBEDDER", "minilm")}) as served:
        bench = Bench(served, echo="", scale=1)
        if options.rows:
            bench.load(options.rows, _LARGE_OWNER)
        with _admin(served) as admin:
            timed = _measure(admin, _pages(bench))
        [(count,)] = bench.rows("SELECT count(*) FROM memory_entries")
    Console(width=None if sys.stdout.isatty() else 120).print(_table(timed))
    print(f"{count:,} memories are stored. Load average: {os.getloadavg()[0]:.1f}")
    if options.json:
        report = {name: asdict(each) for name, each in timed.items()}
        options.json.write_text(json.dumps({"memories": count, "pages": report}, indent=2))


@contextmanager
def _admin(served: Served) -> Iterator[Admin]:
    account, password = f"bench-{secrets.token_hex(4)}", secrets.token_urlsafe(16)
    environment = {
        **served.environment,
        "DJANGO_SUPERUSER_USERNAME": account,
        "DJANGO_SUPERUSER_PASSWORD": password,
        "DJANGO_SUPERUSER_EMAIL": "",
    }
    make = [sys.executable, "manage.py", "createsuperuser", "--noinput"]
    subprocess.run(make, cwd=ROOT, env=environment, check=True, stdout=subprocess.DEVNULL)
    gunicorn = ["gunicorn", "--config", "deploy/gunicorn.conf.py", "--bind", "127.0.0.1:0"]
    process = subprocess.Popen(
        [sys.executable, "-m", *gunicorn, "memoryproject.wsgi"],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield Admin(_address(process), account, password)
    finally:
        process.terminate()
        process.wait(timeout=60)


def _address(process: "subprocess.Popen[str]") -> str:
    assert process.stdout
    for line in process.stdout:
        if line.startswith("ready"):
            return line.split()[1]
    raise SystemExit(f"The admin did not start (exit code {process.wait()}).")


def _pages(bench: Bench) -> dict[str, str]:
    """Their paths by name; what shows one row shows one of the owner with most memories."""
    [(memory_id, owner_id, session)] = bench.rows(
        "SELECT id, owner_id, session_id FROM memory_entries WHERE session_id = ANY(%s) LIMIT 1",
        list(bench.large_owner.sessions),
    )
    # The loader gives half of all times that are earlier.
    deep = f"{datetime.now(UTC) - timedelta(days=180)}~{memory_id}"
    memories, sessions = "/admin/memories/memoryentry/", "/admin/memories/session/"
    user = f"/admin/users/{owner_id}/"
    return {
        "home": "/admin/",
        "memories": memories,
        "memories, deep page": f"{memories}?after={quote(deep)}",
        "memories of a user": f"{memories}?user={LARGE_USER}",
        "memories of a type": f"{memories}?memory_type=entity",
        "memories with a tag": f"{memories}?tag=home",
        "memories that are deleted": f"{memories}?state=deleted",
        "memories, search in a user's": f"{memories}?q=tea+in+the+kitchen&user={LARGE_USER}",
        "memories, search in everyone's": f"{memories}?q=tea+in+the+kitchen",
        "a memory": f"{memories}{memory_id}/change/",
        "sessions": sessions,
        "a session": f"{sessions}{session}/change/",
        "users": "/admin/users/",
        "a user": user,
        "a user, what an assistant is told": f"{user}?query=tea+in+the+kitchen",
        "map": f"{user}map/",
        "trash": "/admin/trash/",
        "log": "/admin/admin/logentry/",
        "models": "/admin/models/",
    }


def _measure(admin: Admin, pages: Mapping[str, str]) -> dict[str, Timed]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=_chromium(), chromium_sandbox=os.geteuid() != 0
        )
        page = browser.new_page(base_url=admin.url)
        page.goto("/admin/")
        page.get_by_label("Username").fill(admin.account)
        page.get_by_label("Password").fill(admin.password)
        page.keyboard.press("Enter")
        page.wait_for_url("**/admin/")
        timed = {name: _timed(page, path) for name, path in pages.items()}
        browser.close()
        return timed


def _chromium() -> str:
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    return found or sys.exit("There is no chromium on this machine: apt-get install chromium")


def _timed(page: Page, path: str) -> Timed:
    first, *others = (_open(page, path) for _ in range(1 + _TIMES))
    answered, loaded = zip(*others, strict=True)
    return Timed(first[1], median(answered), median(loaded), max(loaded))


def _open(page: Page, path: str) -> tuple[float, float]:
    answer = page.goto(path, timeout=120_000)
    if answer is None or not answer.ok:
        sys.exit(f"{path} answered {answer and answer.status}")
    answered, loaded = page.evaluate(_TIMING)
    return answered, loaded


def _table(timed: Mapping[str, Timed]) -> Table:
    table = Table("page", "first, ms", "answered, ms", "loaded, ms", "slowest, ms")
    for column in table.columns[1:]:
        column.justify = "right"
    for name, each in timed.items():
        figures = (each.first, each.answered, each.loaded, each.slowest)
        table.add_row(name, *(f"{figure:,.0f}" for figure in figures))
    return table


if __name__ == "__main__":
    main()
