"""The home page in a browser: it keeps itself up to date."""

from playwright.sync_api import expect


def test_the_home_page_tells_how_it_fares_and_stays_live(visit, household):
    page = visit("viewer")
    expect(page.get_by_role("heading", name="Is it well?")).to_be_visible()
    expect(page.get_by_text("1 alive")).to_be_visible()
    rate = page.locator('[data-rate="total"]')
    expect(rate).not_to_have_text("…", timeout=30_000)
    expect(page.get_by_role("cell", name="get_state", exact=True)).to_have_count(0)
    with household.client("from-the-browser") as client:
        client.get_state("agent")
    expect(page.get_by_role("cell", name="get_state", exact=True)).to_be_visible(timeout=30_000)
