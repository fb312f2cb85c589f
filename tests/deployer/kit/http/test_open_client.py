"""A client that is opened with the user's credential, and the objects that it reads."""

import pytest

from mastra_core import Secret
from mastra_core.errors import ApiError, AuthError
from mastra_deployer.kit import find_object, list_objects, open_client, read_object
from tests.scripted_server import serve

CREDENTIALS = {"ACME_TOKEN": Secret("acme-token-1")}


@pytest.fixture
def platform():
    with serve() as server:
        yield server


def test_the_credential_is_the_token(platform):
    with open_client(platform.url, CREDENTIALS, "ACME_TOKEN", name="Acme") as client:
        client.get("/x")
    assert platform.seen == [("GET", "/x", "Bearer acme-token-1")]


def test_what_is_called_before_each_attempt_keeps_the_token(platform):
    def add_count(request, count):
        request.headers["x-retry-count"] = str(count)

    with open_client(
        platform.url, CREDENTIALS, "ACME_TOKEN", name="Acme", before_attempt=add_count
    ) as client:
        client.get("/x")
    assert platform.seen == [("GET", "/x", "Bearer acme-token-1")]
    assert platform.headers[0]["x-retry-count"] == "0"


def test_a_missing_credential_is_named_with_the_cure(platform):
    with (
        pytest.raises(AuthError, match="ACME_TOKEN is not set") as raised,
        open_client(platform.url, {}, "ACME_TOKEN", name="Acme", hint="Create one."),
    ):
        pass
    assert raised.value.hint == "Create one."


def test_a_missing_field_is_an_api_error(platform):
    with (
        pytest.raises(ApiError, match="response from Acme"),
        open_client(platform.url, CREDENTIALS, "ACME_TOKEN", name="Acme") as client,
    ):
        client.get("/x").json()["id"]


def test_options_are_those_of_connect(platform):
    platform.answers = [(409, {}, {"code": "taken", "message": "no"})]
    with (
        pytest.raises(ApiError) as raised,
        open_client(
            platform.url, CREDENTIALS, "ACME_TOKEN", name="Acme", hints={"taken": "Rename it."}
        ) as client,
    ):
        client.post("/x")
    assert raised.value.hint == "Rename it."


@pytest.mark.parametrize("body", [[], "text", 7, None])
def test_a_response_that_is_no_object_is_an_api_error(platform, body):
    platform.answers = [(200, {}, body)]
    with (
        pytest.raises(ApiError, match="GET /x is not a JSON object"),
        open_client(platform.url, CREDENTIALS, "ACME_TOKEN", name="Acme") as client,
    ):
        read_object(client.get("/x"))


def test_an_object_that_does_not_exist_is_none(platform):
    platform.answers = [(404, {}, {}), (200, {}, {"id": 1})]
    with open_client(platform.url, CREDENTIALS, "ACME_TOKEN", name="Acme") as client:
        assert find_object(client, "/x") is None
        assert find_object(client, "/x", params={"a": "1"}) == {"id": 1}
        assert platform.seen[-1][1] == "/x?a=1"
        for path, params, requested in (
            ("/x?b=2&b=3", {"a": "1"}, "/x?b=2&b=3&a=1"),
            ("/x?b=2", {}, "/x?b=2"),
            ("/x?b=2", None, "/x?b=2"),
            ("/x", {"a": ["1", "2"]}, "/x?a=1&a=2"),
        ):
            find_object(client, path, params=params)
            assert platform.seen[-1][1] == requested


def test_a_list_is_read_page_by_page(platform):
    platform.answers = [
        (200, {}, {"items": [{"id": 1}], "next": "p2"}),
        (200, {}, {"items": [{"id": 2}], "next": None}),
        (404, {}, {}),
    ]
    with open_client(platform.url, CREDENTIALS, "ACME_TOKEN", name="Acme") as client:
        found = list_objects(client, "/x?size=1", "items", "after", "next", params={"app": "a"})
        assert found == [{"id": 1}, {"id": 2}]
        assert list_objects(client, "/x", "items", "after", "next") == []
    paths = [seen[1] for seen in platform.seen]
    assert paths == ["/x?size=1&app=a", "/x?size=1&app=a&after=p2", "/x"]
