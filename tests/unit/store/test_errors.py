"""What the driver says, in an operator's words."""

import pytest

from suture.store.errors import refused


@pytest.mark.parametrize(
    "said",
    [
        'connection to server at "db", port 5432 failed: fe_sendauth: no password supplied',
        'FATAL:  password authentication failed for user "suture"',
    ],
)
def test_who_has_no_password_is_told_where_it_is_read_from(said: str) -> None:
    error = refused("postgresql+psycopg://suture@db/suture", said)
    assert said in error.message
    assert ".pgpass" in error.remedy
    assert "PGPASSFILE" in error.remedy
