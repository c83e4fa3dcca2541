from datetime import UTC, datetime

from memories.models import MemoryEntry, Relationship, Session
from tests.memories.importers.stores import EPISODIC, extend, make


def episode(number, **values):
    return {
        "episode_id": number,
        "user_id": "anna",
        "profile": "home",
        "start_time": f"2024-03-0{number}T09:00:00",
        "end_time": f"2024-03-0{number}T10:00:00",
        "context": '{"room": "kitchen"}',
        "summary": f"episode {number}",
        "importance_score": 0.9,
        "status": "done",
    } | values


def said(episode_id, text, **values):
    return {
        "episode_id": episode_id,
        "timestamp": f"2024-03-0{episode_id or 9}T09:05:00",
        "speaker": "anna",
        "content": text,
        "intent": "ask",
        "sentiment": 0.5,
        "metadata": '{"loud": true}',
    } | values


def test_an_episode_becomes_a_session_that_is_ended(bring, tmp_path):
    rows = [episode(1), episode(2, end_time=None, status="active")]
    brought = bring(make(tmp_path / "store", EPISODIC, episodes=rows))
    assert (brought.format, brought.is_whole, brought.findings) == ("episodic", True, [])
    ended, going_on = Session.objects.order_by("created_at")
    assert (ended.session_type, ended.user_id, ended.summary) == ("episode", "anna", "episode 1")
    assert ended.ended_at == ended.updated_at == datetime(2024, 3, 1, 9, tzinfo=UTC)
    assert ended.metadata == {
        "room": "kitchen",
        "episode_id": 1,
        "profile": "home",
        "importance_score": 0.9,
        "status": "done",
    }
    assert going_on.ended_at is None


def test_interactions_bear_the_tags_and_groups_of_their_episode(bring, tmp_path):
    path = make(
        tmp_path / "store",
        EPISODIC,
        episodes=[episode(1), episode(2)],
        interactions=[said(1, "tea please"), said(2, "lights off")],
        episode_tags=[{"episode_id": 1, "tag": "food", "confidence": 0.7}],
        context_groups=[{"group_id": 1, "name": "mornings"}],
        episode_context_groups=[{"episode_id": 1, "group_id": 1, "relevance_score": 0.4}],
    )
    assert bring(path).is_whole
    first, second = MemoryEntry.objects.order_by("created_at")
    assert (first.memory_type, first.speaker, first.priority) == ("interaction", "anna", 9)
    assert first.content == {
        "text": "tea please",
        "speaker": "anna",
        "timestamp": "2024-03-01T09:05:00",
        "intent": "ask",
        "sentiment": 0.5,
        "metadata": {"loud": True},
    }
    assert (first.tags, second.tags) == (["food", "group:mornings"], [])
    metadata = first.session.metadata
    assert (metadata["tags"], metadata["groups"]) == ({"food": 0.7}, {"mornings": 0.4})


def test_tied_episodes_become_tied_first_memories(bring, tmp_path, told):
    tie = {"relationship_type": "follows", "strength": 0.5, "metadata": '{"by": "hand"}'}
    path = make(
        tmp_path / "store",
        EPISODIC,
        episodes=[episode(1), episode(2), episode(3)],
        interactions=[said(1, "first"), said(1, "second"), said(2, "other")],
        episode_relationships=[
            {"source_episode_id": 2, "target_episode_id": 1} | tie,
            {"source_episode_id": 2, "target_episode_id": 3} | tie,
        ],
    )
    brought = bring(path)
    found = Relationship.objects.get()
    assert (found.source.text, found.target.text) == ("other", "first")
    assert (found.relationship_type, found.strength, found.metadata) == (
        "follows",
        0.5,
        {"by": "hand"},
    )
    # the third episode has no memory that could be tied
    assert told(brought) == [
        ("episode_relationships", "2", "an end of the relationship does not exist")
    ]
    assert bring(path).new == 0


def test_an_episode_that_is_missing_is_made(bring, tmp_path, told):
    path = make(tmp_path / "store", EPISODIC, interactions=[said(7, "lost"), said(None, "loose")])
    brought = bring(path)
    assert brought.is_whole
    assert told(brought) == [("interactions", "1", "its episode does not exist")]
    assert MemoryEntry.objects.get(text="lost").session.metadata == {
        "recovered": True,
        "episode_id": 7,
    }
    assert MemoryEntry.objects.get(text="loose").session.session_type == "import"


def test_tags_that_came_later_are_added(bring, tmp_path):
    path = make(tmp_path / "store", EPISODIC, episodes=[episode(1)], interactions=[said(1, "tea")])
    bring(path)
    extend(path, episode_tags=[{"episode_id": 1, "tag": "food", "confidence": 1}])
    assert bring(path).is_whole
    assert MemoryEntry.objects.get().tags == ["food"]


def test_an_episode_without_an_id_is_skipped(bring, tmp_path, told):
    schema = EPISODIC.replace("episode_id INTEGER PRIMARY KEY, user_id", "episode_id, user_id")
    rows = [episode(1), episode(2) | {"episode_id": None}]
    brought = bring(make(tmp_path / "store", schema, episodes=rows))
    assert told(brought) == [("episodes", "2", "the session has no id")]
    assert brought.is_whole
    assert Session.objects.get().summary == "episode 1"
