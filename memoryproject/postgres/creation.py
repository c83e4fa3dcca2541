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

    def _destroy_test_db(self, test_database_name: str, verbosity: int) -> None:
        """Whatever the tests asserted is asserted by now. A thread of a test's orchestrator that
        has not yet given its connection back must not keep the database."""
        self.connection.close()
        self.connection.close_pool()
        with self._nodb_cursor() as cursor:  # type: ignore[attr-defined]
            name = self.connection.ops.quote_name(test_database_name)
            cursor.execute(f"DROP DATABASE {name} WITH (FORCE)")
