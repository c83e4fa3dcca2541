"""This orchestrator, through its Python client: over ZeroMQ and JSON, while LangGraph's store and
mem0 are called in their own process. Vectors are given, as to the others."""

import calling

from zmqbridge.client import Client, NewMemory

_, work = calling.read_work()
ids = []

with Client(work.endpoint, timeout_seconds=60) as client:
    sessions = {}

    def session_of(owner):
        if owner not in sessions:
            sessions[owner] = client.create_session(user_id=owner).session_id
        return sessions[owner]

    for owner, _, _ in work.queries:
        session_of(owner), session_of(f"row-{owner}")

    def create_row(memory):
        client.create(memory[1], session_id=session_of(f"row-{memory[0]}"))

    def create(memory):
        owner, text, vector = memory
        made = client.create(text, session_id=session_of(owner), embedding=vector)
        ids.append(made.memory_id)
        return made.memory_id

    def create_batch(batch):
        new = [NewMemory(content=text, embedding=vector) for _, text, vector in batch]
        made = client.batch_create(new, session_id=session_of(batch[0][0])).memory_ids
        ids.extend(made)
        return made

    def search(query, search_type="semantic", limit=calling.SEARCHED):
        owner, text, vector = query
        found = client.search(
            text,
            session_id=session_of(owner),
            query_embedding=vector,
            search_type=search_type,
            limit=limit,
        )
        assert found.results
        return found.results

    def hybrid(query):
        search(query, "hybrid")

    def recall(_):
        place_of, by_owner = {}, {}
        for place, memory in enumerate(work.recall_memories):
            by_owner.setdefault(memory[0], []).append((place, memory))
        for of_owner in by_owner.values():
            for start in range(0, len(of_owner), 50):
                some = of_owner[start : start + 50]
                made = create_batch([memory for _, memory in some])
                place_of.update(zip(made, (place for place, _ in some), strict=True))
        found = [
            [place_of[memory.memory_id] for memory in search(query, limit=10)]
            for query in work.recall_queries
        ]
        return {"found": found}

    calling.serve(
        {
            calling.ROW: lambda n: calling.timed(create_row, work.part(calling.ROW, n)),
            calling.ROW_MANY: lambda n: calling.timed(
                create_row, work.part(calling.ROW_MANY, n), calling.CALLERS
            ),
            calling.VECTOR: lambda n: calling.timed(create, work.part(calling.VECTOR, n)),
            calling.VECTOR_MANY: lambda n: calling.timed(
                create, work.part(calling.VECTOR_MANY, n), calling.CALLERS
            ),
            calling.BATCHES: lambda n: calling.timed(
                create_batch, work.batches(n), each=work.batch_size(n)
            ),
            calling.READ_NEW: lambda n: calling.timed(
                client.read, work.part(calling.READ_NEW, n), prepare=create
            ),
            calling.READ_LATER: lambda n: calling.timed(client.read, ids),
            calling.READ_AGAIN: lambda n: calling.timed(client.read, ids),
            calling.READ_MANY: lambda n: calling.timed(client.read, ids, calling.CALLERS),
            calling.SEARCH: lambda n: calling.timed(search, work.queries),
            calling.SEARCH_MANY: lambda n: calling.timed(search, work.queries, calling.CALLERS),
            calling.HYBRID: lambda n: calling.timed(hybrid, work.queries),
            calling.HYBRID_MANY: lambda n: calling.timed(hybrid, work.queries, calling.CALLERS),
            calling.RECALL: recall,
        }
    )
