"""Django's own log of the admin: its rows quote the beginning of what a memory says.

So they go with the memory. Called by the purge and the erasure.
"""

# Of a row `x` of the log and a memory `gone`.
SHOWS_MEMORY = """x.object_id = gone.id COLLATE "default" AND x.content_type_id = (
    SELECT id FROM django_content_type WHERE app_label = 'memories' AND model = 'memoryentry')"""

# All that the log shows of an owner: of the memories, the sessions and the profile, and by the
# owner's part of an id.
FORGET_OWNER = """
DELETE FROM django_admin_log l USING django_content_type t
WHERE t.id = l.content_type_id AND t.app_label = 'memories' AND (
    t.model = 'memoryentry' AND l.object_id IN (
        SELECT id COLLATE "default" FROM memory_entries WHERE owner_id = %(owner)s)
    OR t.model = 'session' AND l.object_id IN (
        SELECT id COLLATE "default" FROM sessions WHERE owner_id = %(owner)s)
    OR t.model = 'userprofile' AND l.object_id = %(user)s
    OR position(%(part)s IN concat_ws(' ', l.object_id, l.object_repr, l.change_message)) > 0)"""
