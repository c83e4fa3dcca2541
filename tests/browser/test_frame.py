"""The frame of every page: login, sidebar, dark and light, a phone's width."""

import pytest
from playwright.sync_api import expect

from .conftest import log_in
from .looking import PHONE, accessibility_faults, overflow_pixels

PAGES = {
    "home": "/admin/",
    "memories": "/admin/memories/memoryentry/",
    "sessions": "/admin/memories/session/",
    "session": "/admin/memories/session/katrin-2026-08-03-morning/change/",
    "users": "/admin/users/",
    "user": "/admin/users/?q=katrin",
    "trash": "/admin/trash/",
    "models": "/admin/models/",
    "log": "/admin/admin/logentry/",
    "orchestrators": "/admin/memories/orchestrator/",
    "accounts": "/admin/auth/user/",
}


def test_a_wrong_password_is_refused(browser, household):
    page = browser.new_page(base_url=household.url)
    page.goto("/admin/")
    log_in(page, "viewer", "wrong")
    expect(page.get_by_text("Please enter the correct username")).to_be_visible()
    assert accessibility_faults(page) == []
    page.close()


def test_the_sidebar_leads_to_what_the_account_may_see(visit):
    page = visit("viewer")
    sidebar = page.locator("#nav-sidebar-apps")
    expect(sidebar.get_by_role("link", name="Accounts")).to_have_count(0)
    sidebar.get_by_role("link", name="Memories").click()
    expect(page).to_have_title("Select memory to view | Memories")
    page.allowed.add(403)
    page.goto("/admin/auth/user/")
    expect(page.get_by_text("may not")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_pass_the_check_of_accessibility(visit, scheme):
    page = visit(color_scheme=scheme)
    faults = []
    for name, url in PAGES.items():
        page.goto(url)
        faults += [f"{name}: {fault}" for fault in accessibility_faults(page)]
    assert faults == []


def test_pages_fit_a_phone(visit):
    page = visit(viewport=PHONE)
    wider = {}
    for name, url in PAGES.items():
        page.goto(url)
        wider[name] = overflow_pixels(page)
    assert wider == dict.fromkeys(PAGES, 0)


def test_times_are_in_the_viewer_s_zone(visit):
    page = visit("viewer", timezone_id="Asia/Tokyo")
    page.goto(PAGES["sessions"])
    expect(page.get_by_text("JST").first).to_be_visible()
