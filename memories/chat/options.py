"""What the chat model can be told. The settings fill it in; imports nothing heavy."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class ChatOptions:
    base_url: str
    model: str
    api_key: str = field(default="", repr=False)
    deadline_seconds: float = 10.0
    failures_to_open: int = 2  # in a row; then the model is left alone for a while
    open_seconds: float = 60.0
