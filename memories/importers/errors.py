"""What makes the import of a file end, as one sentence for a person."""


class ImportRefused(Exception):
    """The file cannot be read as an old store. Nothing of it has been imported."""


class ReportNotWritten(Exception):
    """What would be changed or skipped could not be told: nothing more is imported."""


class TooManyVanished(ImportRefused):
    """A person has to say whether that is right."""
