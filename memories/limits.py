"""What a memory and its ties may hold at most: one place for the wire, the admin, the importers
and the tables, whose columns have these widths (whoever changes one makes a migration)."""

TYPE_MAX_CHARACTERS = 32
TAG_MAX_CHARACTERS = 64
TAGS_MAX_COUNT = 64
SPEAKER_MAX_CHARACTERS = 64
RELATIONSHIP_TYPE_MAX_CHARACTERS = 64
LOWEST_PRIORITY = 1
HIGHEST_PRIORITY = 10
