"""This orchestrator, through its Python client: over ZeroMQ and JSON, with search by words and
meaning at once, while the others are called in their own process."""

from timing import CALLERS, read_work, say, timed

from zmqbridge.client import Client, NewMemory

_, work = read_work()
memories, queries = work["memories"], work["queries"]
half = len(memories) // 2

with Client(work["endpoint"], timeout_seconds=60) as client:
    owners = {owner for owner, _, _ in memories}
    sessions = {owner: client.create_session(user_id=owner).session_id for owner in owners}
    ids = []

    def create(memory):
        owner, text, vector = memory
        made = client.create(text, session_id=sessions[owner], embedding=vector)
        ids.append(made.memory_id)

    def create_batch(batch):
        new = [NewMemory(content=text, embedding=vector) for _, text, vector in batch]
        ids.extend(client.batch_create(new, session_id=sessions[batch[0][0]]).memory_ids)

    def search(query):
        owner, text, vector = query
        found = client.search(text, session_id=sessions[owner], query_embedding=vector)
        assert found.results

    def search_by_meaning(query):
        owner, text, vector = query
        found = client.search(
            text, session_id=sessions[owner], query_embedding=vector, search_type="semantic"
        )
        assert found.results

    figures = {"create": timed(create, memories[: half // 2])}
    figures["create, 16 callers"] = timed(create, memories[half // 2 : half], CALLERS)
    of_owner = sorted(memories[half:])
    batches = [of_owner[start : start + 50] for start in range(0, len(of_owner), 50)]
    batched = timed(create_batch, batches)
    figures["create in batches of 50"] = batched | {"rate": batched["rate"] * 50}
    figures["read"] = timed(client.read, ids)
    figures["read, 16 callers"] = timed(client.read, ids, CALLERS)
    figures["search by meaning"] = timed(search_by_meaning, queries)
    figures["search by meaning, 16 callers"] = timed(search_by_meaning, queries, CALLERS)
    figures["search by words and meaning"] = timed(search, queries)
say(figures)
