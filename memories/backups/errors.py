"""What keeps a backup from being made or used, as one sentence for a person."""


class BackupError(Exception):
    """Nothing half done is left: neither a file nor a database."""
