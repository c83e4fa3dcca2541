"""A browser that looks at the admin as `make run` serves it.

Without a browser on the machine the tests are skipped; where REQUIRE_BROWSER is set, as in
.ci/run, they fail instead.
"""

import os
import shutil
import sys
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import sync_playwright

from .household import PASSWORD, Household

DESKTOP = {"width": 1440, "height": 900}
_LOGGED_IN = {}


@pytest.fixture(scope="session")
def executable():
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if not found:
        reason = "There is no chromium on this machine: apt-get install chromium"
        (pytest.fail if os.environ.get("REQUIRE_BROWSER") else pytest.skip)(reason)
    return found


@pytest.fixture(scope="session")
def household(executable, tmp_path_factory):
    running = Household(tmp_path_factory.mktemp("household") / "printed")
    yield running
    running.close()
    sys.stderr.write(running.printed())
    _LOGGED_IN.clear()
    assert "Internal Server Error" not in running.printed()


@pytest.fixture(scope="module")
def browser(executable):
    """Of a module: while Playwright runs, Django takes the process for an asynchronous one."""
    sandbox = os.geteuid() != 0  # as root Chromium starts only without one
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(
            executable_path=executable, chromium_sandbox=sandbox, args=["--disable-gpu"]
        )
        yield launched
        launched.close()


@pytest.fixture
def visit(household, browser):
    """visit(account, **options of the browser's context) -> a page of the admin, logged in.

    The test fails where a page writes an error to the console, raises one, asks another host for
    anything, or gets an answer from 400 on that the test has not allowed:
    `page.allowed.add(403)`.
    """
    contexts, faults = [], []

    def visit(account="root", **options):
        options = {"viewport": DESKTOP, "base_url": household.url, **options}
        context = browser.new_context(**options, storage_state=_LOGGED_IN.get(account))
        contexts.append(context)
        page = context.new_page()
        page.allowed = set()
        _watch(page, household.url, faults)
        page.goto(household.url)
        if page.get_by_label("Username").is_visible():
            log_in(page, account)
            _LOGGED_IN[account] = context.storage_state()
        return page

    yield visit
    for context in contexts:
        context.close()
    assert faults == []


def log_in(page, account, password=PASSWORD):
    page.get_by_label("Username").fill(account)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Log in").click()


def _watch(page, url, faults):
    host = urlsplit(url).netloc

    def console(message):
        refused = message.text.startswith("Failed to load resource")  # `answered` tells of these
        if message.type in ("error", "warning") and not refused:
            faults.append(f"console: {message.text} at {message.location}")

    def asked(request):
        where = urlsplit(request.url)
        if where.scheme not in ("data", "blob") and where.netloc != host:
            faults.append(f"another host: {request.url}")

    def answered(response):
        if response.status >= 400 and response.status not in page.allowed:
            faults.append(f"{response.status}: {response.url}")

    page.on("console", console)
    page.on("pageerror", lambda error: faults.append(f"error: {error}"))
    page.on("request", asked)
    page.on("response", answered)
