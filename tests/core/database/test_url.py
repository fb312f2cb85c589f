"""The URL of the database: what is accepted, and what is shown of it."""

import pytest

from mastra_core.database import mask_url, parse_database_url, read_database_url
from mastra_core.errors import ConfigError

SECRET = "s3cret"


def test_the_default_is_a_file_in_the_working_directory():
    url = read_database_url({})
    assert (url.kind, url.path) == ("sqlite", "mastra.db")
    assert read_database_url({"MASTRA_DATABASE_URL": "  "}) == url


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("sqlite:///app.db", "app.db"),
        ("sqlite:///data/app.db", "data/app.db"),
        ("sqlite:////data/app.db", "/data/app.db"),
        ("sqlite:///:memory:", ":memory:"),
    ],
)
def test_a_file_has_a_path(text, path):
    url = parse_database_url(text)
    assert (url.kind, url.path, str(url), url.reveal()) == ("sqlite", path, text, text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"postgresql://ann:{SECRET}@db.example/app", "postgresql://db.example:5432/app"),
        (f"postgres://ann:{SECRET}@db:6543/app?sslmode=require", "postgresql://db:6543/app"),
        (f"postgresql://db/app?user=ann&password={SECRET}", "postgresql://db:5432/app"),
        (
            f"postgresql://ann:{SECRET}%40%2F@[::1]:5433/my%20app",
            "postgresql://[::1]:5433/my%20app",
        ),
        ("postgresql:///app?host=/run/postgresql", "postgresql:///run/postgresql:5432/app"),
    ],
)
def test_a_server_is_shown_without_secrets(text, shown):
    url = parse_database_url(text)
    assert url.kind == "postgresql"
    assert str(url) == shown
    assert repr(url) == f"DatabaseUrl({shown!r})"
    assert url.reveal() == text.replace("postgres:", "postgresql:")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "app.db",
        "sqlite:",
        "sqlite://app.db",
        f"mysql://ann:{SECRET}@db/app",
        f"postgresql://ann:{SECRET}@db",
        f"postgresql://ann:{SECRET}@db:none/app",
        f"postgresql://ann:{SECRET}@db:99999/app",
        f"postgresql://ann:{SECRET}#1@db/app",
        f"postgresql://ann:{SECRET}/1@db/app",
        f"postgresql://ann:{SECRET}@[::1/app",
        f"postgresql:ann:{SECRET}@db/app",
        f"acme://db/app?token={SECRET}",
    ],
)
def test_an_invalid_url_is_refused_without_secrets(text):
    with pytest.raises(ConfigError) as caught:
        parse_database_url(text)
    assert caught.value.hint
    assert SECRET not in str(caught.value)
    if text:
        with pytest.raises(ConfigError, match="MASTRA_DATABASE_URL") as caught:
            read_database_url({"MASTRA_DATABASE_URL": text})
        assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("acme://ann:pw@db/app", "acme://****@db/app"),
        ("acme://ann:p@w/x@db/app?token=pw", "acme://****@db/app"),
        ("acme://db/app?token=pw", "acme://db/app"),
        ("sqlite:///app.db", "sqlite:///app.db"),
        ("anything", "anything"),
        ("acme:ann:pw@db", "****"),
    ],
)
def test_any_url_is_masked(text, masked):
    assert mask_url(text) == masked
