"""Test what spans say about a database."""

import pytest

from mastra_core.database import parse_database_url
from mastra_core.database.database_span import describe_database


@pytest.mark.parametrize(
    ("url", "described"),
    [
        ("postgresql://u:p@db.example/shop", ("postgresql", "shop", "db.example", 5432)),
        ("postgresql:///shop?host=/tmp", ("postgresql", "shop", "", 5432)),
    ],
)
def test_a_database_has_its_name(url, described):
    assert describe_database(parse_database_url(url)) == described
