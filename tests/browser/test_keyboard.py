"""Everything is reached by keys alone, and what is only read out is not seen."""

import re
import secrets

import pytest
from playwright.sync_api import expect

from .conftest import log_in
from .looking import PHONE

LIST = "/admin/memories/memoryentry/"
MOST_STEPS = 150


def tab_to(page, target, key="Tab"):
    """Press Tab until the target has the focus."""
    target.wait_for()
    for _ in range(MOST_STEPS):
        page.keyboard.press(key)
        if target.evaluate("element => element === document.activeElement"):
            return
    pytest.fail(f"{target} is not reached by {key}")


def account_menu(page):
    return page.get_by_role("button", name="Account and appearance")


def test_dark_and_log_out_are_reached_by_keys(browser, household):
    page = browser.new_page(base_url=household.url)  # a login of its own, since it ends
    page.goto("/admin/")
    log_in(page, "viewer")
    tab_to(page, account_menu(page))
    page.keyboard.press("Enter")
    expect(account_menu(page)).to_have_attribute("aria-expanded", "true")
    dark = page.get_by_role("button", name="Dark")
    tab_to(page, dark)
    page.keyboard.press("Space")
    expect(dark).to_have_attribute("aria-pressed", "true")
    expect(page.locator("html")).to_have_class(re.compile("dark"))
    tab_to(page, page.get_by_role("link", name="Change password"))
    page.keyboard.press("Escape")
    expect(account_menu(page)).to_be_focused()
    expect(dark).not_to_be_visible()
    page.keyboard.press("Enter")
    tab_to(page, page.get_by_role("button", name="Log out"))
    page.keyboard.press("Enter")
    expect(page.get_by_text("Logged out")).to_be_visible()
    page.close()


def test_a_filter_is_set_by_keys(visit):
    page = visit("viewer")
    page.goto(LIST)
    opener = page.get_by_role("button", name="Filters", exact=True)
    tab_to(page, opener)
    page.keyboard.press("Enter")
    expect(page.get_by_label("State")).to_be_focused()
    page.keyboard.press("Escape")
    expect(opener).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_label("State")).to_be_focused()
    tab_to(page, page.get_by_label("User"))
    page.keyboard.type("katrin")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("user=katrin"))


def test_an_action_is_run_by_keys(visit, household):
    with household.client(f"keys-{secrets.token_hex(4)}") as client:
        memory_id = client.create("Deleted by keys alone.").memory_id
    page = visit("operator")
    page.goto(f"{LIST}?q={memory_id}")
    tab_to(page, page.get_by_label(f"Select {memory_id}"))
    page.keyboard.press("Space")
    action = page.locator("select[name=action]")
    # The actions stand before the table.
    tab_to(page, action, "Shift+Tab")
    page.keyboard.type("Delete")
    tab_to(page, page.get_by_role("button", name="Run"))
    page.keyboard.press("Enter")
    expect(page.get_by_text("1 memory is deleted")).to_be_visible()


def test_the_sidebar_of_a_phone_is_opened_and_closed_by_keys(visit):
    page = visit("viewer", viewport=PHONE)
    opener = page.get_by_role("button", name="Show or hide the sidebar")
    tab_to(page, opener)
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Close the sidebar")).to_be_focused()
    page.keyboard.press("Enter")
    expect(opener).to_be_focused()
    expect(page.get_by_role("link", name="Memories", exact=True)).not_to_be_visible()


def test_what_is_read_out_is_not_seen(visit):
    page = visit("viewer")
    page.goto("/admin/memories/session/katrin-2026-08-05-evening/change/")
    unseen = page.locator(".memories-turn .memories-unseen").first
    seen = unseen.evaluate(
        "element => [getComputedStyle(element).position, element.getBoundingClientRect().width]"
    )
    assert seen == ["absolute", 1]
