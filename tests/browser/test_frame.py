"""The frame of every page: login, sidebar, dark and light, a phone's width."""

import pytest
from playwright.sync_api import expect

from .conftest import DESKTOP, log_in
from .looking import PHONE, accessibility_faults, overflow_pixels
from .pages import PAGES, furnish


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


@pytest.mark.timeout(300)
@pytest.mark.parametrize("width", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_passes_the_check_of_accessibility_and_fits(visit, household, scheme, width):
    urls = furnish(household)
    page = visit("administrator", viewport=width, color_scheme=scheme)
    page.allowed.add(404)
    faults = []
    for name in PAGES:
        page.goto(urls[name])
        faults += [f"{name}: {fault}" for fault in accessibility_faults(page)]
        if wider := overflow_pixels(page):
            faults.append(f"{name} is {wider} px wider than the window")
    assert faults == []


def test_a_refusal_passes_the_check_of_accessibility(visit):
    page = visit("viewer")
    page.allowed.add(403)
    page.goto("/admin/auth/user/")
    assert accessibility_faults(page) == []


def test_times_are_in_the_viewer_s_zone(visit):
    page = visit("viewer", timezone_id="Asia/Tokyo")
    page.goto("/admin/memories/session/")
    expect(page.get_by_text("JST").first).to_be_visible()
