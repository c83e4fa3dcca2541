"""The Django project. Its version stands here, where the core and the interface may read it."""

VERSION = "0.2.0"
