"""Exception messages that callers see."""

import time

import pytest

from mastra_core.redaction import redact_text, safe_message


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


def test_long_texts_take_linear_time():
    """A caller chooses what an error quotes, so a quadratic search would block the event loop."""
    texts = ("eyJ-" * 50_000, f"{'a' * 100_000}.{'b' * 100_000}", "eyJabcdefgh." * 20_000)
    started = time.process_time()
    for text in texts:
        redact_text(text)
    assert time.process_time() - started < 3  # seconds; a quadratic search takes minutes
    token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"
    assert redact_text(f"a {token} b") == "a **** b"
    assert token not in redact_text(f"x={token}.{token}")
