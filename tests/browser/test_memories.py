"""Memories as a person works with them: find, read, mend."""

import re

from playwright.sync_api import expect

LIST = "/admin/memories/memoryentry/"


def rows_of(page):
    return page.locator("#result_list tbody")


def test_search_finds_and_says_why(visit):
    page = visit("viewer")
    page.goto(LIST)
    page.keyboard.press("/")
    page.keyboard.type("when is the dentist")
    page.keyboard.press("Enter")
    best = rows_of(page).first
    expect(best.locator("mark").first).to_have_text(re.compile("dentist", re.I))
    expect(best).to_contain_text("%")


def test_filters_are_typed_and_cleared(visit, household):
    page = visit("viewer")
    page.goto(LIST)
    page.get_by_role("button", name="Filters").click()
    page.get_by_label("User").fill("katrin")
    page.get_by_label("Tag").fill("assistant")
    page.get_by_role("button", name="Apply Filters").click()
    page.wait_for_url(re.compile(r"\?(?=.*user=katrin)(?=.*tag=assistant)(?!.*session=)"))
    [(count,)] = household.rows(
        "SELECT count(*) FROM memory_entries m JOIN sessions s ON s.owner_id = m.owner_id AND"
        " s.id = m.session_id WHERE s.user_id = 'katrin' AND 'assistant' = ANY(m.tags)"
    )
    expect(page.get_by_text(f"{count} memories")).to_be_visible()
    page.get_by_role("link", name="Next", exact=True).click()
    expect(page.get_by_role("link", name="Previous", exact=True)).to_be_visible()
    page.goto(f"{LIST}?user=nobody-at-all")
    page.get_by_role("link", name="Show everything").click()
    expect(rows_of(page)).to_have_count(50)
