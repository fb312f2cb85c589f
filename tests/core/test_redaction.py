"""Exception messages that callers see."""

import pytest

from mastra_core.redaction import safe_message


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("cannot reach postgres://ann:pa55@db:5432/x", "cannot reach postgres://****@db:5432/x"),
        ("GET https://x.example/?api_key=abcdef&q=1", "GET https://x.example/?api_key=****&q=1"),
        ("host=db password=hunter2 dbname=x", "host=db password=**** dbname=x"),
        ("Authorization: Bearer abc.def-ghi was refused", "Authorization: Bearer **** was refused"),
        ("Incorrect API key: sk-proj-abcdefghijkl1234", "Incorrect API key: ****"),
        ("ghp_0123456789abcdefABCDEF is revoked", "**** is revoked"),
        ("no role for AKIAIOSFODNN7EXAMPLE", "no role for ****"),
        ("expired: eyJhbGciOiJI.eyJzdWIiOiIx.abc", "expired: ****"),
    ],
)
def test_credentials_are_masked(said, told):
    assert safe_message(RuntimeError(said)) == told


@pytest.mark.parametrize(
    "said",
    [
        "model exploded",
        "Unexpected token: <",
        "https://example.com/a@b and ann@example.com",
        "the secret is out",
        "a basic, bearer-free task-list",
        "ask-me-anything-about-it",
        "token=on",
        "",
    ],
)
def test_other_text_is_kept(said):
    assert safe_message(ValueError(said)) == (said or "ValueError")
