"""Whatever a memory holds, its pages are shown, and nothing of it becomes a part of them."""

import json
from html.parser import HTMLParser

import pytest
from django.utils import timezone

from memories.models import MemoryEntry, Relationship, Revision
from memories.services.revise import Revision as Change
from memories.services.revise import revise_memories
from tests.factories import store

from .conftest import list_url, page_url
from .rows import delete
from .test_memory_page import HOSTILE, ODD

pytestmark = pytest.mark.django_db

NESTED = "[" * 60 + "]" * 60
ALPINE = '" x-data="{}" x-init="alert(1)" x-html="text" {{ 7|add:7 }} {% now "Y" %} ${alert(1)}'
CONTENTS = {
    "scripts": {"text": HOSTILE, HOSTILE: HOSTILE, "source_agent": HOSTILE[:60]},
    "attributes of the theme": {"text": ALPINE, "x-data": ALPINE},
    "a megabyte in one word": {"text": "x" * 1_000_000},
    "a megabyte of lines": {"text": "a\n" * 500_000},
    "no text": {"nothing": None},
    "an empty text": {"text": ""},
    "spaces alone": {"text": " \n\t "},
    "odd Unicode": {"text": ODD * 50, "\u202e": "\u200b\u2066\ud7ff\U0010fffd"},
    "deep": {"text": "deep", "list": json.loads(NESTED)},
    "a text that is none": {"text": {"text": ["no"]}},
}


class Elements(HTMLParser):
    """What of a page a browser would act on: scripts with what they hold, and attributes."""

    def __init__(self, text):
        super().__init__()
        self.attributes = set()
        self.scripts = 0
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.scripts += tag == "script"
        self.attributes |= {(tag, name) for name, _ in attrs}


@pytest.fixture
def usual(admin_client):
    """The elements of the pages of a memory that holds nothing special, but everything."""
    return [Elements(text) for text in pages_of(admin_client, filled({"text": "hello"}))]


def filled(content, tags=("one", "two")):
    """A memory that was changed and deleted, with relationships."""
    raw = json.dumps(content).encode()
    memory_id, other = store(content_json=raw, tags=list(tags)), store(content_json=raw)
    memory = MemoryEntry.objects.get(pk=memory_id)
    for source, target in ((memory_id, other), (other, memory_id), (memory_id, memory_id)):
        Relationship.objects.create(
            owner_id=memory.owner_id,
            source_id=source,
            target_id=target,
            relationship_type=HOSTILE[:64],
            metadata=content,
            created_at=timezone.now(),
        )
    change = Change(
        memory_id, timezone.now(), content_json=b'{"text": "after"}', changed_by=HOSTILE
    )
    back = Change(memory_id, timezone.now(), content_json=raw, changed_by=HOSTILE)
    revise_memories([change])
    revise_memories([back])
    delete(other)
    return memory_id


def pages_of(client, memory_id):
    revision = Revision.objects.filter(memory_id=memory_id).order_by("version").first()
    tie = Relationship.objects.filter(source_id=memory_id).first()
    urls = [
        list_url("memoryentry"),
        list_url("memoryentry", state="deleted"),
        list_url("memoryentry", q="hello"),
        page_url("memoryentry", memory_id),
        list_url("revision"),
        page_url("revision", revision.pk),
        page_url("relationship", tie.pk),
    ]
    responses = [client.get(url) for url in urls]
    assert [response.status_code for response in responses] == [200] * len(urls)
    return [response.text for response in responses]


@pytest.mark.parametrize("content", CONTENTS.values(), ids=CONTENTS)
def test_content_becomes_no_part_of_a_page(admin_client, usual, content):
    texts = pages_of(admin_client, filled(content))
    for text, plain in zip(texts, usual, strict=True):
        elements = Elements(text)
        assert elements.scripts == plain.scripts
        assert elements.attributes <= plain.attributes | {("bdi", "class"), ("p", "class")}
        assert len(text) < 2_000_000


def test_a_thousand_tags_are_shown(admin_client):
    memory_id = filled({"text": "tagged"}, [f"<b>tag {number}" for number in range(1_000)])
    *_, page, _revisions, _revision, _tie = pages_of(admin_client, memory_id)
    assert "&lt;b&gt;tag 999" in page and "<b>" not in page
