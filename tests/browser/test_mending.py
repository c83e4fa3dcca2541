"""What operators and administrators mend: a bulk delete undone, a model switched."""

from playwright.sync_api import expect

SESSION = "deleted-and-undone"


def test_a_bulk_delete_is_undone(visit, household):
    with household.client(SESSION) as client:
        client.create_session("undo")
        for number in range(3):
            client.create({"text": f"Remember {number}."})
        client.bulk_delete(memory_type="conversation")
    page = visit("operator")
    page.goto("/admin/trash/")
    entry = (
        page.get_by_role("listitem").filter(has_text="bulk delete").filter(has_text="Remember 1.")
    )
    expect(entry.get_by_text("3 memories")).to_be_visible()
    entry.get_by_role("button", name="Undo the whole delete").click()
    expect(page.get_by_text("3 memories are alive again.")).to_be_visible()
    with household.client(SESSION) as client:
        assert len(client.batch_read().memories) == 3


def test_what_was_deleted_together_in_the_list_is_undone_whole(visit, household):
    with household.client("deleted-in-the-list") as client:
        client.create_session("undo-in-the-list")
        for number in range(3):
            client.create({"text": f"Note {number} for the list."})
    page = visit("operator")
    page.goto("/admin/memories/memoryentry/?user=undo-in-the-list")
    page.get_by_label("Select all").check()
    page.locator("select[name=action]").select_option("delete_softly")
    page.get_by_role("button", name="Run").click()
    expect(page.get_by_text("3 memories are deleted")).to_be_visible()
    page.goto("/admin/trash/")
    entry = page.get_by_role("listitem").filter(has_text="bulk delete").filter(has_text="Note 1")
    entry.get_by_role("button", name="Undo the whole delete").click()
    expect(page.get_by_text("3 memories are alive again.")).to_be_visible()
    page.goto("/admin/memories/memoryentry/?user=undo-in-the-list")
    expect(page.locator("#result_list tbody tr input.action-select")).to_have_count(3)


def test_searches_are_switched_to_another_model_and_back(visit, household):
    household.run("embedding_models", "add", "given")  # clients fill it: it has no vector yet
    page = visit("administrator")
    page.goto("/admin/models/")
    switch = page.get_by_role("button", name="Let it serve searches")
    switch.click()
    expect(page.get_by_text("memories lack its vector")).to_be_visible(timeout=60_000)
    page.get_by_label("even if it is not filled").check()
    for _ in range(2):  # the one that does not serve is the only one with a button
        switch.click()
        expect(page.get_by_text("what served before stays ready")).to_be_visible(timeout=60_000)
        page.goto("/admin/models/")
    states = dict(household.rows("SELECT kind, state FROM embedding_models"))
    assert states == {"hashing": "active", "given": "ready"}
