"""The embedded PostgreSQL: a database backend that starts its own server (ENGINE of this name)."""
