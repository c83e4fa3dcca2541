"""Sessions as conversations and the pages of users, in a browser."""

import re

from playwright.sync_api import expect

SESSION = "/admin/memories/session/katrin-2026-08-05-evening/change/"


def test_a_session_is_read_as_a_dialogue_and_ended(visit):
    page = visit("operator")
    page.goto(SESSION)
    dialogue = page.get_by_role("region", name="Conversation")
    expect(dialogue.get_by_text("user", exact=True).first).to_be_visible()
    page.get_by_role("button", name="Summarize").click()
    expect(page.get_by_text("Made of their own sentences.")).to_be_visible()
    page.go_back()
    page.get_by_role("button", name="End", exact=True).click()
    expect(page.get_by_text("The session is ended since")).to_be_visible()
    expect(page.get_by_role("button", name="End", exact=True)).to_have_count(0)


def test_a_viewer_cannot_end_a_session(visit):
    page = visit("viewer")
    page.goto(SESSION)
    expect(page.get_by_role("button", name="Summarize")).to_be_visible()
    expect(page.get_by_role("button", name="End and archive")).to_have_count(0)


def test_a_user_s_page_shows_what_the_assistant_would_be_told(visit):
    page = visit("viewer")
    page.goto("/admin/users/")
    page.get_by_label("The id of a user").fill("katrin")
    page.keyboard.press("Enter")
    page.get_by_label("What is said or asked").fill("When do I see the dentist?")
    page.keyboard.press("Enter")
    # The first question loads the embedder.
    expect(page.get_by_text("Recalled from earlier:")).to_be_visible(timeout=60_000)
    expect(page.locator(".memories-told")).to_contain_text("dentist")


def test_the_map_draws_the_memories_of_a_user(visit):
    page = visit("viewer")
    page.goto("/admin/users/?q=katrin")
    page.get_by_role("link", name="Map").click()
    state = page.get_by_role("status").filter(has_text="memories")
    expect(state).to_have_text(re.compile(r"\d+ memories"), timeout=60_000)
    page.get_by_label("age").check()
    expect(page.get_by_role("img", name="The memories of katrin")).to_be_visible()
