"""Work on plain text: sentences, summaries, cutting, counting tokens. Knows neither Django nor SQL;
services and handlers call it."""

from memories.text.cutting import cut_text
from memories.text.sentences import split_sentences
from memories.text.summary import summarize_turns
from memories.text.tokens import count_tokens
from memories.text.turns import Turn

__all__ = ["Turn", "count_tokens", "cut_text", "split_sentences", "summarize_turns"]
