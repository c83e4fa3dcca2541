"""mem0 with pgvector and without a language model (`infer=False`). Keeps a text, its vector and
metadata, and a history in SQLite; no recognition of repeats, no sessions, no typed content."""

from mem0 import Memory
from timing import read_work, say, timed

address, work = read_work()
memories, queries = work["memories"], work["queries"]
vectors = {text: vector for _, text, vector in memories + queries}
dimension = len(queries[0][2])


class GivenVectors:
    def embed(self, text, memory_action=None):
        return vectors[text]

    def embed_batch(self, texts, memory_action=None):
        return [vectors[text] for text in texts]


local = {"lmstudio_base_url": "http://127.0.0.1:9/v1"}
memory = Memory.from_config(
    {
        "vector_store": {
            "provider": "pgvector",
            "config": {
                "connection_string": address,
                "collection_name": "memories",
                "embedding_model_dims": dimension,
                "hnsw": True,
            },
        },
        "llm": {"provider": "lmstudio", "config": local},
        "embedder": {"provider": "lmstudio", "config": local | {"embedding_dims": dimension}},
        "history_db_path": "history.db",
    }
)
memory.embedding_model = GivenVectors()
ids = []


def add(each):
    owner, text, _ = each
    added = memory.add(text, user_id=owner, infer=False)
    ids.append(added["results"][0]["id"])


def search(query):
    # Not asserted to find: the index is searched before the filter, and may leave nothing over.
    memory.search(query[1], filters={"user_id": query[0]}, top_k=5, threshold=0.0)


figures = {"create": timed(add, memories[: len(memories) // 4])}
figures["read"] = timed(memory.get, ids)
figures["search by meaning"] = timed(search, queries)
say(figures)
