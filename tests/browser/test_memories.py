"""Memories as a person works with them: find, read, mend."""

import os
import re
import secrets

import pytest
from django.contrib.admin.utils import quote
from playwright.sync_api import expect

from tests.acceptance.processes import REPOSITORY

from .looking import PHONE, accessibility_faults, overflow_pixels

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


@pytest.fixture
def dentist(household):
    """A memory that an assistant corrected once, tied to two others."""
    user_id = f"zoë-{secrets.token_hex(4)}"
    with household.client(f"practice-of-{user_id}") as client:
        client.create_session(user_id)
        ids = [
            client.create(text, tags=["health"]).memory_id
            for text in (
                "The dentist is on Thursday 20 August at half past nine.",
                "Remind me of the dentist the evening before.",
                "Dr. Jung practises on Habsburgerstraße.",
            )
        ]
        client.update(ids[0], content="The dentist is on Thursday 27 August at half past nine.")
        client.relate(ids[1], ids[0], "reminds of", strength=0.9)
        client.relate(ids[0], ids[2], "takes place at")
    return ids[0]


def page_of(memory_id):
    return f"{LIST}{quote(memory_id)}/change/"


def history_of(page):
    return page.get_by_role("region", name="History")


def test_edit_see_the_difference_and_restore(visit, dentist):
    page = visit("operator")
    page.goto(page_of(dentist))
    expect(history_of(page).locator("ins")).to_have_text("27")
    content = page.locator("#id_content_json")
    content.fill('{"text": "The dentist is on Friday 28 August.')
    page.get_by_role("button", name="Save and continue editing").click()
    expect(page.get_by_text("cannot be kept")).to_be_visible()
    content.fill('{"text": "The dentist is on Friday 28 August."}')
    page.get_by_role("button", name="Save and continue editing").click()
    latest = history_of(page).get_by_role("article").first
    expect(latest).to_contain_text("by operator")
    expect(latest.locator("ins").first).to_have_text("Friday")
    page.get_by_role("button", name="Restore version 2").click()
    expect(page.get_by_text("holds again what it held in version 2")).to_be_visible()
    expect(page.get_by_role("region", name="Text")).to_contain_text("Thursday 27 August")


def test_delete_and_restore(visit, dentist):
    page = visit("operator")
    page.goto(page_of(dentist))
    page.get_by_role("button", name="Delete", exact=True).click()
    expect(page.get_by_text("it can be restored")).to_be_visible()
    expect(page.locator("#id_content_json")).to_have_count(0)
    page.get_by_role("button", name="Restore", exact=True).click()
    expect(page.get_by_text("alive again")).to_be_visible()


def test_a_viewer_reads_and_is_refused_the_rest(visit, household, dentist):
    page = visit("viewer")
    page.goto(page_of(dentist))
    expect(page.get_by_role("region", name="Text")).to_contain_text("Thursday 27 August")
    for name in ("Save", "Delete", "Restore version 1"):
        expect(page.get_by_role("button", name=name)).to_have_count(0)
    page.allowed.add(403)
    # As a page would send it that still shows the button.
    page.evaluate(
        """path => {
            const form = document.createElement("form");
            form.method = "post";
            form.action = path;
            form.append(document.querySelector("[name=csrfmiddlewaretoken]").cloneNode());
            document.body.append(form);
            form.submit();
        }""",
        page_of(dentist).replace("change/", "fate/"),
    )
    expect(page.get_by_text("This account may not do that")).to_be_visible()
    [(deleted_at,)] = household.rows("SELECT deleted_at FROM memory_entries WHERE id = %s", dentist)
    assert deleted_at is None


def test_the_picture_leads_to_the_related_memories_by_keyboard(visit, dentist):
    page = visit("viewer")
    page.goto(page_of(dentist))
    picture = page.get_by_role("region", name="Relationships").locator("svg")
    expect(picture.get_by_text("takes place at 1")).to_be_visible()
    picture.get_by_role("link", name="Dr. Jung").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("region", name="Text")).to_contain_text("Habsburgerstraße")


def test_a_hostile_memory_is_shown_as_text(visit, household):
    hostile = "</pre></textarea><script>alert('in')</script><img src=x onerror=alert(1)>"
    alpine = '<p x-data x-init="alert(2)" x-html="1">{{ 7 }}</p>'
    with household.client(f"hostile-{secrets.token_hex(4)}") as client:
        content = {"text": f"{hostile}{alpine}\u202e", hostile: alpine}
        memory_id = client.create(content, tags=[alpine[:64]]).memory_id
        client.update(memory_id, content={"text": alpine})
        client.relate(memory_id, client.create(hostile).memory_id, alpine[:64])
    page = visit("operator")
    shown = []
    page.on("dialog", lambda dialog: (shown.append(dialog.message), dialog.dismiss()))
    for url in (page_of(memory_id), LIST, f"{LIST}?q=textarea+script"):
        page.goto(url)
        page.wait_for_load_state("networkidle")
    assert shown == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_list_and_page_pass_the_check_of_accessibility(visit, dentist, scheme):
    page = visit("operator", color_scheme=scheme)
    faults = []
    for url in (f"{LIST}?q=dentist&tag=health", page_of(dentist)):
        page.goto(url)
        faults += accessibility_faults(page)
    page.goto(f"{LIST}?tag=health")
    page.get_by_role("button", name="Filters").click()
    expect(page.get_by_role("button", name="Apply Filters")).to_be_visible()
    assert faults + accessibility_faults(page) == []


def test_list_and_page_fit_a_phone(visit, dentist):
    page = visit("operator", viewport=PHONE)
    wider = []
    for url in (LIST, f"{LIST}?q=dentist", page_of(dentist)):
        page.goto(url)
        wider.append(overflow_pixels(page))
    assert wider == [0, 0, 0]


def test_pictures_for_the_readme(visit, dentist):
    """Into test-results/; `SCREENSHOTS=docs/images` renews those that the README shows."""
    folder = REPOSITORY / os.environ.get("SCREENSHOTS", "test-results")
    size = {"width": 1300, "height": 760}
    light = visit("operator", viewport=size)
    light.goto(f"{LIST}?q=when+is+the+dentist&user=katrin")
    expect(light.locator("mark").first).to_be_visible()
    light.screenshot(path=folder / "admin-search.png")
    dark = visit("operator", viewport=size, color_scheme="dark")
    dark.goto(page_of(dentist))
    dark.evaluate("document.querySelector('#history').scrollIntoView()")
    dark.screenshot(path=folder / "admin-memory.png")
    sizes = [path.stat().st_size for path in folder.glob("admin-*.png")]
    assert len(sizes) == 2 and max(sizes) < 300_000
