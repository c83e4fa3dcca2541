"""Asks a language model, near or far, that speaks OpenAI's chat completions."""
