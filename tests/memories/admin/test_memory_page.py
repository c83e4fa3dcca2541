"""The page of a memory: what it shows, and how a person corrects what it holds."""

import json
from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission

from memories.changes import rows
from memories.content import MAX_DEPTH
from memories.models import MemoryEntry, Revision
from memories.services.revise import Revision as Change
from memories.services.revise import revise_memories
from tests.factories import store

from .conftest import button_url, list_url, page_url
from .rows import delete, expire, fill_tables

pytestmark = pytest.mark.django_db

HOSTILE = "</pre></textarea><script>alert('in')</script>\"><img src=x onerror=alert(1)>\u202e&amp;"
ODD = "naïve 東京 👩‍👩‍👧 \u2028 \ufffe \x01 \x7f \x85 a\u0301 \t end"


def form_of(client, memory_id):
    """The fields of the form as a browser would send them back untouched."""
    response = client.get(page_url("memoryentry", memory_id))
    form = response.context["adminform"].form
    return {name: str(form[name].value()).replace("\n", "\r\n") for name in form.fields}


def save(client, memory_id, fields, **changed):
    return client.post(page_url("memoryentry", memory_id), fields | changed)


def content_of(memory_id):
    [(content,)] = rows("SELECT content::text FROM memory_entries WHERE id = %s", [memory_id])
    return content


def test_what_a_memory_holds_cannot_break_out_of_its_place(admin_client):
    content = json.dumps({"text": HOSTILE, HOSTILE: [HOSTILE]}).encode()
    memory_id = store(content_json=content, tags=[HOSTILE[:64]], session_id=HOSTILE[:64])
    revise_memories([Change(memory_id, at=_now(memory_id), priority=6, changed_by=HOSTILE)])
    delete(memory_id)
    for url in (
        page_url("memoryentry", memory_id),
        list_url("memoryentry", state="deleted"),
        list_url("memoryentry", q=HOSTILE),
        list_url("revision"),
        page_url("revision", Revision.objects.latest("pk").pk),
        list_url("session"),
        page_url("session", HOSTILE[:64]),
    ):
        response = admin_client.get(url)
        assert response.status_code == 200
        assert "<script>alert" not in response.text
        assert "<img src=x" not in response.text


def _now(memory_id):
    return MemoryEntry.all_objects.get(pk=memory_id).updated_at + timedelta(seconds=1)


def test_a_page_shows_what_belongs_to_a_memory(admin_client):
    fill_tables(1)
    memory = MemoryEntry.objects.get()
    text = admin_client.get(page_url("memoryentry", memory.pk)).text
    for shown in ("delete", "restore", "self", "read", memory.session_id, "of version 1"):
        assert shown in text


@pytest.mark.parametrize("memory_id", ["mem-absent", "\0", "mem-" + "A" * 44, "a/b?c"])
def test_an_unknown_memory_leads_back(admin_client, memory_id):
    response = admin_client.get(page_url("memoryentry", memory_id), follow=True)
    assert response.status_code == 200
    assert "Perhaps it was deleted?" in response.text


def test_an_edit_is_kept_with_history_and_the_name_of_its_author(admin_client):
    memory_id = store("The kettle is in the hall.", priority=3)
    before = MemoryEntry.objects.get(pk=memory_id)
    response = save(
        admin_client,
        memory_id,
        form_of(admin_client, memory_id),
        content_json='{"text": "The kettle is in the attic.", "source_agent": "cook"}',
        tags_json='["kitchen", "a, b", "kitchen"]',
        priority="9",
        memory_type="entity",
    )
    assert response.status_code == 302
    after = MemoryEntry.objects.get(pk=memory_id)
    assert after.text == "The kettle is in the attic."
    assert after.tags == ["kitchen", "a, b"]
    assert (after.memory_type, after.priority, after.source_agent) == ("entity", 9, "cook")
    assert after.updated_at > before.updated_at
    assert "attic" in after.search
    [revision] = Revision.objects.filter(memory_id=memory_id)
    assert revision.changed_by == "admin"
    assert revision.content == before.content
    assert (revision.priority, revision.memory_type) == (3, "conversation")


def test_what_is_not_touched_does_not_change(admin_client):
    content = json.dumps({"text": ODD, "list": [1, {"deep": []}]}).encode()
    exact = b',"exact": 0.10000000000000000000000000001, "big": 123456789012345678901234567890}'
    memory_id = store(content_json=content[:-1] + exact, tags=[f"tag {n}" for n in range(1000)])
    before = content_of(memory_id)
    fields = form_of(admin_client, memory_id)
    assert save(admin_client, memory_id, fields).status_code == 302
    assert not Revision.objects.exists()
    assert save(admin_client, memory_id, fields, priority="1").status_code == 302
    after = MemoryEntry.objects.get(pk=memory_id)
    assert content_of(memory_id) == before
    assert (after.priority, len(after.tags)) == (1, 1000)


def test_an_edit_keeps_every_digit_of_the_rest(admin_client):
    memory_id = store(content_json=b'{"text": "a", "exact": 1.10000000000000000000000000000001}')
    fields = form_of(admin_client, memory_id)
    changed = fields["content_json"].replace('"a"', '"b"')
    assert save(admin_client, memory_id, fields, content_json=changed).status_code == 302
    assert content_of(memory_id) == '{"text": "b", "exact": 1.10000000000000000000000000000001}'


@pytest.mark.parametrize(
    ("field", "value", "complaint"),
    [
        ("content_json", "{", "cannot be kept"),
        ("content_json", "[1]", "object"),
        ("content_json", "{}", "not empty"),
        ("content_json", '{"a": "\\u0000"}', "U+0000"),
        ("content_json", '{"a": "\\ud800"}', "cannot be kept"),
        ("content_json", '{"a": "\0"}', "Null characters"),
        ("content_json", '{"a":' * (MAX_DEPTH + 1) + "1" + "}" * (MAX_DEPTH + 1), "deeper"),
        ("tags_json", "kitchen", "cannot be kept"),
        ("tags_json", '[""]', "cannot be kept"),
        ("tags_json", '["\\u0000"]', "U+0000"),
        ("tags_json", json.dumps(["t" * 65]), "cannot be kept"),
        ("tags_json", json.dumps([str(n) for n in range(65)]), "cannot be kept"),
        ("priority", "11", "less than or equal to 10"),
        ("priority", "0", "greater than or equal to 1"),
        ("memory_type", "", "required"),
        ("memory_type", "t" * 33, "at most 32"),
    ],
)
def test_what_cannot_be_kept_is_refused_with_the_reason(admin_client, field, value, complaint):
    memory_id = store()
    response = save(admin_client, memory_id, form_of(admin_client, memory_id), **{field: value})
    assert response.status_code == 200
    assert complaint in str(response.context["adminform"].form.errors[field])
    assert not Revision.objects.exists()


def test_an_escaped_backslash_before_u0000_is_text(admin_client):
    memory_id = store()
    fields = form_of(admin_client, memory_id)
    response = save(admin_client, memory_id, fields, content_json='{"text": "\\\\u0000"}')
    assert response.status_code == 302
    assert MemoryEntry.objects.get(pk=memory_id).text == "\\u0000"


def test_the_second_of_two_editors_is_refused_and_keeps_what_was_typed(admin_client):
    memory_id = store()
    first, second = (form_of(admin_client, memory_id) for _ in range(2))
    assert save(admin_client, memory_id, first, priority="8").status_code == 302
    response = save(admin_client, memory_id, second, content_json='{"text": "second"}')
    assert response.status_code == 200
    assert "while you edited it" in response.text
    assert "second" in str(response.context["adminform"].form["content_json"])
    assert MemoryEntry.objects.get(pk=memory_id).priority == 8
    assert Revision.objects.count() == 1


@pytest.mark.parametrize("end", [delete, expire])
def test_an_edit_of_what_is_gone_meanwhile_is_refused(admin_client, end):
    memory_id = store()
    fields = form_of(admin_client, memory_id)
    end(memory_id)
    response = save(admin_client, memory_id, fields, priority="8")
    assert response.status_code == 200
    assert "was deleted or has expired meanwhile" in response.text
    assert MemoryEntry.all_objects.get(pk=memory_id).priority == 5


def test_a_deleted_memory_is_shown_but_not_edited(admin_client):
    memory_id = store("The kettle is in the hall.")
    delete(memory_id)
    response = admin_client.get(page_url("memoryentry", memory_id))
    assert "The kettle is in the hall." in response.text
    assert 'name="priority"' not in response.text


def test_content_too_large_for_a_form_is_cut_and_the_rest_can_be_edited(admin_client):
    memory_id = store("word " * 60_000)
    response = admin_client.get(page_url("memoryentry", memory_id))
    assert "cut off here" in response.text
    fields = form_of(admin_client, memory_id)
    assert "content_json" not in fields
    assert save(admin_client, memory_id, fields, priority="7").status_code == 302
    after = MemoryEntry.objects.get(pk=memory_id)
    assert (after.priority, len(after.text)) == (7, 300_000)


def test_nobody_adds_or_removes_rows(admin_client):
    memory_id = store()
    page = page_url("memoryentry", memory_id)
    assert admin_client.post(page.replace("change", "delete"), {"post": "yes"}).status_code == 403
    assert admin_client.get(page.replace(f"{memory_id}/change", "add")).status_code == 403
    assert MemoryEntry.objects.filter(pk=memory_id).exists()


def test_who_may_only_look_changes_nothing(client, django_user_model):
    memory_id = store()
    reader = django_user_model.objects.create_user("reader", is_staff=True)
    reader.user_permissions.add(Permission.objects.get(codename="view_memoryentry"))
    client.force_login(reader)
    response = client.get(page_url("memoryentry", memory_id))
    assert response.status_code == 200
    assert 'name="priority"' not in response.text
    assert client.post(page_url("memoryentry", memory_id), {"priority": "1"}).status_code == 403
    assert "memories-button" not in response.text
    for button in ("fate", "version/1"):
        assert client.post(button_url(memory_id, button), {"do": "delete"}).status_code == 403
    assert not client.get(list_url("memoryentry")).context["action_form"]
