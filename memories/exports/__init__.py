"""An owner's data as files: written, and brought back. Called by commands and admin."""
