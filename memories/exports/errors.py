"""What keeps an export from being written or read, as one sentence for a person."""


class ExportError(Exception):
    """Nothing half done is left that a second run does not finish."""
