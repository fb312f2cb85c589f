"""Requests that are signed for AWS, checked with botocore's own signature."""

import re

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from mastra_core import Secret
from mastra_core.errors import AuthError, ConfigError
from mastra_deployer.kit import create_aws_signer, open_client
from mastra_deployer.kit.clock import skip_waits
from tests.scripted_server import serve

KEYS = {"AWS_ACCESS_KEY_ID": Secret("AKIA4711"), "AWS_SECRET_ACCESS_KEY": Secret("secret-4711")}
NAMES = tuple(KEYS)
TOKEN = {"AWS_SESSION_TOKEN": Secret("session-4711")}


@pytest.fixture
def platform():
    with serve() as server, skip_waits():
        yield server


def open_signed(platform, credentials):
    signer = create_aws_signer(credentials, "lambda", "eu-west-1")
    return open_client(
        platform.url, credentials, *NAMES, name="AWS", bearer=False, before_attempt=signer
    )


def compute_signature(platform, index):
    """Sign a request that the server got again, at the time that it states."""
    method, path, _ = platform.seen[index]
    headers = {name.lower(): value for name, value in platform.headers[index].items()}
    request = AWSRequest(method, platform.url + path, data=platform.bodies[index])
    names = re.search("SignedHeaders=([^,]+)", headers["authorization"])[1].split(";")
    for name in names:
        request.headers[name] = headers[name]
    request.context["timestamp"] = headers["x-amz-date"]
    signer = SigV4Auth(Credentials("AKIA4711", "secret-4711"), "lambda", "eu-west-1")
    text = signer.string_to_sign(request, signer.canonical_request(request))
    return names, signer.signature(text, request)


@pytest.mark.parametrize("credentials", [KEYS, KEYS | TOKEN], ids=["permanent", "temporary"])
def test_each_attempt_is_signed(platform, credentials):
    platform.answers = [(503, {}, {}), (200, {}, {})]
    with open_signed(platform, credentials) as client:
        client.put("/functions/shop?Qualifier=live", json={"a": 1})
    for index in range(2):
        names, signature = compute_signature(platform, index)
        assert platform.seen[index][2].endswith(f"Signature={signature}")
        assert platform.seen[index][2].startswith("AWS4-HMAC-SHA256 Credential=AKIA4711/")
        assert {"content-type", "host", "x-amz-date"} <= set(names)
        assert ("x-amz-security-token" in names) == ("AWS_SESSION_TOKEN" in credentials)


def test_all_missing_credentials_are_named(platform):
    with (
        pytest.raises(AuthError, match="AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set"),
        open_client(platform.url, {}, *NAMES, name="AWS", before_attempt=lambda *_: None),
    ):
        pass


def test_a_missing_key_is_named():
    with pytest.raises(AuthError, match="AWS_SECRET_ACCESS_KEY is not set"):
        create_aws_signer({"AWS_ACCESS_KEY_ID": Secret("x")}, "lambda", "eu-west-1")


def test_a_signed_client_sends_no_bearer_token(platform):
    with open_client(
        platform.url, KEYS, *NAMES, name="AWS", bearer=False, before_attempt=lambda *_: None
    ) as client:
        client.get("/x")
    with open_client(platform.url, {}, name="Open") as client:
        client.get("/x")
    assert [seen[2] for seen in platform.seen] == [None, None]


def test_missing_botocore_is_named_with_the_cure(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "botocore.auth", None)
    with pytest.raises(ConfigError, match="botocore is not installed") as raised:
        create_aws_signer(KEYS, "lambda", "eu-west-1")
    assert "pip install botocore" in raised.value.hint
