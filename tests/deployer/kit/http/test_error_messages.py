"""The platform's error message, in each shape that platforms use."""

import pytest

from mastra_core.errors import ApiError
from mastra_deployer.kit import connect
from tests.scripted_server import serve

OCI = {"errors": [{"code": "DENIED", "message": "access denied", "detail": [{"Name": "a"}]}]}
PROBLEM = {"type": "about:blank", "title": "Out of credit", "status": 422, "detail": "30 needed"}
GOOGLE = {
    "error": {
        "code": 403,
        "message": "The API is disabled.",
        "status": "PERMISSION_DENIED",
        "details": [{"@type": "type.googleapis.com/ErrorInfo", "reason": "SERVICE_DISABLED"}],
    }
}
OLD_GOOGLE = {"error": {"errors": [{"reason": "notFound", "message": "Not Found"}], "code": 404}}
AWS = {"__type": "com.amazonaws.x#ThrottlingException", "Message": "Rate exceeded"}
S3 = (
    b'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>NoSuchBucket</Code>'
    b"<Message>The bucket &quot;a&quot; does not exist</Message></Error>"
)
QUERY = (
    b'<ErrorResponse xmlns="http://x/"><Error><Type>Sender</Type><Code>Malformed</Code>'
    b"<Message>No action</Message></Error></ErrorResponse>"
)
AZURE = "\ufeff<?xml version='1.0'?><Error><Code>A</Code><Message>B</Message></Error>".encode()
PAGE = b"<!DOCTYPE html><html><head><title>502 &amp; Bad\n Gateway</title></head>Long story</html>"


@pytest.fixture
def get_message():
    """Return a function that gives the error's message for a response body."""
    with serve() as platform, connect(platform.url, name="It") as client:

        def request(body, status=409):
            platform.answers = [(status, {}, body)]
            with pytest.raises(ApiError) as raised:
                client.post("/x")
            assert raised.value.status == status
            return raised.value.message.removeprefix(f"It answered {status} to POST /x: ")

        yield request


@pytest.mark.parametrize(
    ("body", "message"),
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
        ({"message": "bad", "detail": [{"msg": "of a field"}]}, "bad"),
        (GOOGLE, "The API is disabled. (PERMISSION_DENIED)"),
        (OLD_GOOGLE, "Not Found"),
        (AWS, "Rate exceeded (ThrottlingException)"),
        ({"Type": "User", "Message": "no such function"}, "no such function"),
        ({"Error": {"Code": "Malformed", "Message": "no action"}}, "no action (Malformed)"),
        (S3, 'The bucket "a" does not exist (NoSuchBucket)'),
        (QUERY, "No action (Malformed)"),
        (AZURE, "B (A)"),
        (b"<p>only text</p>", "<p>only text</p>"),
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
def test_the_message_is_found(get_message, body, message):
    assert get_message(body) == message


def test_a_long_message_is_truncated(get_message):
    assert len(get_message({"message": "x" * 10_000})) == 300


@pytest.mark.parametrize("depth", [200, 400, 900, 20_000])
@pytest.mark.parametrize(("opening", "closing"), [('{"error":', "}"), ("[", "]")])
def test_deeply_nested_json_is_handled(get_message, opening, closing, depth):
    assert get_message((opening * depth + "1" + closing * depth).encode())
    assert get_message((opening * depth).encode()).startswith(opening)


def test_a_status_without_a_reason_phrase_has_a_message(get_message):
    assert get_message(b"", 499) == "no message"


@pytest.mark.parametrize(
    ("body", "headers", "code"),
    [
        ({"error": {"code": "missing_files", "message": "Missing"}}, {}, "missing_files"),
        ({"code": 404, "message": "gone"}, {}, "404"),
        ({"errors": [], "code": "outer"}, {}, "outer"),
        (OCI, {}, "DENIED"),
        (GOOGLE, {}, "PERMISSION_DENIED"),
        (OLD_GOOGLE, {}, "404"),
        (AWS, {}, "ThrottlingException"),
        ({"__type": "UnknownOperationException"}, {}, "UnknownOperationException"),
        ({"Message": "m"}, {"x-amzn-errortype": "NotFound:http://internal/"}, "NotFound"),
        (b"", {"x-ms-error-code": "BlobNotFound"}, "BlobNotFound"),
        ({"status": "FAILED", "message": "m"}, {}, ""),
        (S3, {}, "NoSuchBucket"),
        (QUERY, {}, "Malformed"),
        (b"Code: 7", {}, ""),
        ("text", {}, ""),
    ],
    ids=str,
)
def test_the_code_is_found(body, headers, code):
    with serve() as platform, connect(platform.url) as client:
        platform.answers = [(409, headers, body)]
        with pytest.raises(ApiError) as raised:
            client.post("/x")
    assert raised.value.code == code


def test_entities_of_xml_are_not_expanded(get_message):
    bomb = b'<!DOCTYPE x [<!ENTITY a "aaaaaaaa">]><Error><Message>&a;&a;</Message></Error>'
    assert "aaaa" not in get_message(bomb)


@pytest.mark.parametrize(
    "body",
    [b"<html>" + b"<title>" * 140_000, b"<Error>" + b"<Code " * 170_000],
    ids=["title", "code"],
)
def test_a_page_of_unfinished_tags_is_read_in_linear_time(get_message, body):
    assert get_message(body)


@pytest.mark.parametrize("charset", ["zlib", "bz2", "hex", "idna", "undefined", "no-such-charset"])
def test_the_platform_cannot_choose_a_codec_that_fails_or_decompresses(charset):
    headers = {"content-type": f"text/plain; charset={charset}"}
    with serve(lambda _: (409, headers, b"not now")) as platform, connect(platform.url) as client:
        with pytest.raises(ApiError, match="not now"):
            client.post("/x")
        response = client.post("/x", extensions={"mastra_accept": (409,)})
        assert response.text == "not now"


def test_a_text_has_the_charset_of_its_content_type():
    headers = {"content-type": "text/plain; charset=ISO-8859-1"}
    body = "Größe".encode("iso-8859-1")
    with serve(lambda _: (200, headers, body)) as platform, connect(platform.url) as client:
        assert client.get("/x").text == "Größe"


def test_a_code_of_thousands_of_digits_is_a_code():
    body = {"error": {"code": "9" * 5000, "message": "gone"}}
    with (
        serve(lambda _: (409, {}, body)) as platform,
        connect(platform.url, hints={404: "Deploy first."}) as client,
        pytest.raises(ApiError, match="gone"),
    ):
        client.post("/x")


@pytest.mark.parametrize(("code", "hint"), [("10007", "a"), (10007, "a"), ("full", "b"), ("", "c")])
def test_a_hint_is_found_by_code_and_then_by_status(code, hint):
    hints = {10007: "a", "full": "b", 409: "c"}
    body = {"code": code, "message": "no"}
    with (
        serve(lambda _: (409, {}, body)) as platform,
        connect(platform.url, hints=hints) as client,
        pytest.raises(ApiError) as raised,
    ):
        client.post("/x")
    assert raised.value.hint == hint
