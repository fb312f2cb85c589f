"""Each attempt at a request is authorized by itself; hints and codes are those of the deployer."""

import hashlib
import hmac

import httpx
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from mastra_core import Secret
from mastra_core.errors import ApiError, AuthError
from mastra_deployer.kit import connect
from mastra_deployer.kit.clock import now, skip_waits
from tests.scripted_server import serve

KEY = b"signing-key-1"
MAX_AGE = 300


@pytest.fixture
def platform():
    with serve() as server, skip_waits():
        yield server


class SigningPlatform:
    """Accepts a signature for five minutes, as AWS does, and fails before it is ready."""

    def __init__(self):
        self.ready_at = now() + 400

    def __call__(self, request):
        stamp = request.headers["x-date"]
        expected = sign(request.command, request.path, request.body, stamp)
        if abs(now() - float(stamp)) > MAX_AGE or request.headers["x-signature"] != expected:
            return 403, {}, {"message": "Signature expired"}
        if now() < self.ready_at:
            return 503, {"retry-after": "55"}, {}
        return 200, {}, {}


def sign(method, path, body, stamp):
    text = f"{method} {path} {hashlib.sha256(body).hexdigest()} {stamp}"
    return hmac.new(KEY, text.encode(), "sha256").hexdigest()


def add_signature(request):
    stamp = str(now())
    request.headers["x-date"] = stamp
    body = request.read()
    request.headers["x-signature"] = sign(request.method, request.url.path, body, stamp)


class SigningAuth(httpx.Auth):
    requires_request_body = True

    def auth_flow(self, request):
        add_signature(request)
        yield request


@pytest.mark.parametrize(
    "options",
    [{"before_attempt": lambda request, _: add_signature(request)}, {"auth": SigningAuth()}],
    ids=["before_attempt", "auth"],
)
def test_a_signature_is_made_for_each_attempt(options):
    with (
        serve(SigningPlatform()) as platform,
        skip_waits(),
        connect(platform.url, **options) as client,
    ):
        assert client.put("/x", content=b"code").status_code == 200
    signatures = [headers["x-signature"] for headers in platform.headers]
    assert len(set(signatures)) == len(signatures) >= 8
    assert set(platform.bodies) == {b"code"}


def test_aws_signs_each_attempt(platform):
    def sign_for_aws(request, _):
        aws = AWSRequest(request.method, str(request.url), data=request.read())
        SigV4Auth(Credentials("AKIDEXAMPLE", "secret-key-1"), "lambda", "eu-west-1").add_auth(aws)
        request.headers.update(dict(aws.headers.items()))

    platform.answers = [(500, {}, {})]
    with connect(platform.url, before_attempt=sign_for_aws) as client:
        client.put("/x", json={"a": 1})
    for _, _, authorization in platform.seen:
        assert authorization.startswith("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/")
    assert len(platform.seen) == 2


def test_the_number_of_attempts_is_a_header(platform):
    def add_count(request, count):
        if count:
            request.headers["x-nf-retry-count"] = str(count)

    platform.answers = [(500, {}, {}), (0, {}, b"")]
    with connect(platform.url, before_attempt=add_count) as client:
        client.put("/files/a")
        client.put("/files/b")
    counts = [headers.get("x-nf-retry-count") for headers in platform.headers]
    assert counts == [None, "1", "2", None]


def test_headers_of_one_attempt_are_not_in_the_next(platform):
    def set_once(request, count):
        if not count:
            request.headers["x-first"] = "1"

    platform.answers = [(500, {}, {})]
    with connect(platform.url, before_attempt=set_once) as client:
        client.get("/x", headers={"x-own": "2"})
    seen = [(headers.get("x-first"), headers.get("x-own")) for headers in platform.headers]
    assert seen == [("1", "2"), (None, "2")]


@pytest.mark.parametrize(
    "options",
    [{"before_attempt": lambda request, _: add_signature(request)}, {"auth": SigningAuth()}],
    ids=["before_attempt", "auth"],
)
def test_another_origin_gets_no_signature(platform, options):
    with serve() as other, connect(platform.url, **options) as client:
        client.get(f"{other.url}/upload")
        platform.answers = [(302, {"location": f"{other.url}/moved"}, {})]
        client.get("/x", follow_redirects=True)
    assert "x-signature" in platform.headers[0]
    assert not any("x-signature" in headers for headers in other.headers)


def test_a_token_is_fetched_for_each_attempt(platform):
    tokens = [Secret(f"token-number-{number}") for number in range(3)]
    platform.answers = [(500, {}, {}), (500, {}, {})]
    with connect(platform.url, lambda: tokens.pop(0)) as client:
        client.get("/x")
    seen = [authorization for _, _, authorization in platform.seen]
    assert seen == [f"Bearer token-number-{number}" for number in range(3)]


def test_an_expired_token_is_replaced_after_a_401(platform):
    tokens = [Secret("token-old-1"), Secret("token-new-1")]
    platform.answers = [(401, {}, {})]
    with connect(platform.url, lambda: tokens.pop(0)) as client:
        response = client.post("/x", json={}, extensions={"mastra_retry_401": True})
    assert response.status_code == 200
    assert [each[2] for each in platform.seen] == ["Bearer token-old-1", "Bearer token-new-1"]


def test_one_more_attempt_is_made_after_a_401(platform):
    platform.answers = [(401, {}, {}), (500, {}, {}), (401, {}, {})]
    with connect(platform.url, Secret("token-number-1")) as client:
        with pytest.raises(AuthError):
            client.put("/x", extensions={"mastra_retry_401": True})
        assert len(platform.seen) == 3
        platform.answers = [(401, {}, {})]
        with pytest.raises(AuthError):
            client.put("/x")
    assert len(platform.seen) == 4


class TokenServerAuth(httpx.Auth):
    """Fetches a token from another server after a 401, as registries ask for."""

    def __init__(self, url):
        self.url = url

    def sync_auth_flow(self, request):
        response = yield request
        if response.status_code == 401:
            answer = yield httpx.Request("GET", self.url)
            answer.read()
            request.headers["authorization"] = f"Bearer {answer.json()['token']}"
            yield request


def test_a_file_is_sent_from_its_start_after_a_challenge(platform, tmp_path):
    (tmp_path / "layer").write_bytes(b"content")
    with serve() as tokens, connect(platform.url, auth=TokenServerAuth(tokens.url)) as client:
        platform.answers = [(401, {}, {})]
        tokens.answers = [(503, {}, {}), (200, {}, {"token": "t-1"})]
        with (tmp_path / "layer").open("rb") as file:
            client.put("/x", content=file)
    assert platform.bodies == [b"content", b"content"]
    assert len(tokens.seen) == 2


def test_an_unreachable_token_server_is_named(platform):
    platform.answers = [(401, {}, {})]
    auth = TokenServerAuth("http://127.0.0.1:1/token?key=secret-value")
    with connect(platform.url, auth=auth) as client, pytest.raises(ApiError) as raised:
        client.get("/x")
    assert "http://127.0.0.1:1 cannot be reached" in raised.value.message


@pytest.mark.parametrize("item", ["ThrottlingException", 409])
def test_listed_codes_are_retried(platform, item):
    body = {"__type": "ThrottlingException", "Message": "Rate exceeded"}
    status = 400 if isinstance(item, str) else item
    platform.answers = [(status, {}, body)] * 2
    with connect(platform.url, retry_codes={item}) as client:
        assert client.post("/x").status_code == 200
    assert len(platform.seen) == 3


def test_a_numeric_code_is_listed_as_a_number(platform):
    platform.answers = [(404, {}, {"errors": [{"code": 100146, "message": "not yet"}]})]
    with connect(platform.url, retry_codes={100146}) as client:
        assert client.get("/x").status_code == 200
    platform.answers = [(404, {}, {"errors": [{"code": 10007, "message": "gone"}]})]
    with connect(platform.url, retry_codes={100146}) as client, pytest.raises(ApiError):
        client.get("/x")


HINTS = {"forbidden": "Use the team's token.", 403: "Ask an owner.", 409: "Choose a name.", 77: "P"}


@pytest.mark.parametrize(
    ("status", "body", "hint"),
    [
        (403, {"error": {"code": "forbidden", "message": "no"}}, "Use the team's token."),
        (403, {"error": {"code": "other", "message": "no"}}, "Ask an owner."),
        (409, {}, "Choose a name."),
        (400, {"code": 77, "message": "no"}, "P"),
    ],
)
def test_hints_are_those_of_the_deployer(platform, status, body, hint):
    platform.answers = [(status, {}, body)]
    with connect(platform.url, hints=HINTS) as client, pytest.raises((ApiError, AuthError)) as it:
        client.get("/x")
    assert it.value.hint == hint


def test_an_error_without_a_hint_has_the_general_one(platform):
    platform.answers = [(404, {}, {})]
    with connect(platform.url, hints=HINTS) as client, pytest.raises(ApiError) as raised:
        client.get("/x")
    assert "mastra deployments" in raised.value.hint


def test_hints_are_not_for_other_hosts(platform):
    with serve() as other, connect(platform.url, hints=HINTS) as client:
        other.answers = [(409, {}, {})]
        with pytest.raises(ApiError) as raised:
            client.get(f"{other.url}/x")
    assert raised.value.hint != "Choose a name."
