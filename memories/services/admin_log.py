"""Django's own log of the admin: its rows quote the beginning of what a memory says.

So they go with the memory. Called by the purge and the erasure.
"""

# Of a row `x` of the log and a memory `gone`.
SHOWS_MEMORY = """x.object_id = gone.id COLLATE "default" AND x.content_type_id = (
    SELECT id FROM django_content_type WHERE app_label = 'memories' AND model = 'memoryentry')"""
