"""Backups of the whole database: made, checked, tried and brought back. Called by commands."""
