"""Vectors of memories: `tasks` makes those that wait, `models` says by which model, `fill_*` and
`filling` bring a new one to all that is stored."""
