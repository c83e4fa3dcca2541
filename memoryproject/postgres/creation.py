"""Makes test databases; see Django's test runner."""

from django.db.backends.postgresql import creation


class DatabaseCreation(creation.DatabaseCreation):
    def _create_test_db(self, verbosity: int, autoclobber: bool, keepdb: bool = False) -> str:
        """Leave the main database: a pool that is open already would have the tests run in it."""
        self.connection.close()
        self.connection.close_pool()
        name: str = super()._create_test_db(verbosity, autoclobber, keepdb)  # type: ignore[misc]
        self.connection.close_pool()
        return name
