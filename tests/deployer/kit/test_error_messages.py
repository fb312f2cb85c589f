"""The platform's own words, from wherever it puts them."""

import pytest

from mastra_core.errors import ApiError
from mastra_deployer.kit import connect
from tests.deployer.kit.scripted_server import serving

OCI = {"errors": [{"code": "DENIED", "message": "access denied", "detail": [{"Name": "a"}]}]}
PROBLEM = {"type": "about:blank", "title": "Out of credit", "status": 422, "detail": "30 needed"}
PAGE = b"<!DOCTYPE html><html><head><title>502 &amp; Bad\n Gateway</title></head>Long story</html>"


@pytest.fixture
def said():
    """What the error says of a body."""
    with serving() as platform, connect(platform.url, name="It") as client:

        def say(body, status=409):
            platform.answers = [(status, {}, body)]
            with pytest.raises(ApiError) as raised:
                client.post("/x")
            assert raised.value.status == status
            return raised.value.message.removeprefix(f"It answered {status} to POST /x: ")

        yield say


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"message": "no such app"}, "no such app"),
        ({"code": 404, "message": "no such app"}, "no such app (404)"),
        ({"error": {"message": "bad name"}}, "bad name"),
        ({"error": {"code": "missing_files", "message": "Missing"}}, "Missing (missing_files)"),
        ({"err": {"message": "bad name"}}, "bad name"),
        ({"error": "it is full"}, "it is full"),
        ({"error": "invalid_grant", "error_description": "expired"}, "expired (invalid_grant)"),
        ({"errors": [{"code": 7, "message": "too big"}]}, "too big (7)"),
        ({"errors": [{"message": "one"}, {"message": "two"}]}, "one; two"),
        ({"errors": ["plain"]}, "plain"),
        ({"errors": {"subdomain": ["must be unique"]}}, "subdomain must be unique"),
        ({"errors": [], "message": "still there"}, "still there"),
        ({"success": False, "errors": [{"code": 10007, "message": "gone"}]}, "gone (10007)"),
        (OCI, "access denied (DENIED)"),
        ({"detail": "no way"}, "no way"),
        ({"detail": [{"loc": ["body"], "msg": "field required"}]}, "field required"),
        (PROBLEM, "Out of credit: 30 needed"),
        ({"title": "Out of credit"}, "Out of credit"),
        ({"msg": "short"}, "short"),
        ("just text", "just text"),
        (["odd"], "odd"),
        ({"odd": 1}, "{'odd': 1}"),
        (b"Request Entity Too Large\n", "Request Entity Too Large"),
        (PAGE, "502 & Bad Gateway"),
        (b"<html><body>no title</body></html>", "Conflict"),
        (b"", "Conflict"),
        (b"\xff\xfe\x00", "\ufffd\ufffd"),
        ({"message": "a\x1b[31m red\n\n  line\x07"}, "a [31m red line"),
        ({}, "Conflict"),
    ],
    ids=str,
)
def test_the_sentence_is_found(said, body, words):
    assert said(body) == words


def test_a_long_story_is_cut(said):
    assert len(said({"message": "x" * 10_000})) == 300


@pytest.mark.parametrize("depth", [200, 400, 900, 20_000])
@pytest.mark.parametrize(("opening", "closing"), [('{"error":', "}"), ("[", "]")])
def test_a_bottomless_answer_is_no_trouble(said, opening, closing, depth):
    assert said((opening * depth + "1" + closing * depth).encode())
    assert said((opening * depth).encode()).startswith(opening)


def test_a_status_without_a_name_still_says_something(said):
    assert said(b"", 499) == "no words"
