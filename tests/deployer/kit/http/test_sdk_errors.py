"""Exceptions of real SDKs, against a real server."""

import time

import botocore.session
import openai
import pytest
from botocore.exceptions import BotoCoreError, ClientError

from mastra_core import Secret
from mastra_core.errors import ApiError, AuthError, DeployTimeout
from mastra_deployer.kit import connect, convert_sdk_errors
from mastra_deployer.kit.clock import skip_waits
from tests.scripted_server import serve

HINTS = {"model_not_found": "Choose another model.", 409: "Wait."}


@pytest.fixture
def platform():
    with serve() as server, skip_waits():
        yield server


@pytest.fixture
def call(platform):
    """Return a function that uses an SDK made by Stainless, as Cloudflare's is."""

    def run(**options):
        settings = {"api_key": "sdk-key-12345", "max_retries": 0, **options}
        with (
            openai.OpenAI(base_url=platform.url, **settings) as sdk,
            convert_sdk_errors("Acme", openai.OpenAIError, hints=HINTS),
        ):
            sdk.models.list()

    return run


@pytest.mark.parametrize("status", [401, 403])
def test_a_rejected_token_is_an_auth_error(call, platform, status):
    platform.answers = [(status, {}, {"error": {"message": "bad key", "code": "invalid_key"}})]
    with pytest.raises(AuthError, match="bad key") as raised:
        call()
    assert raised.value.code == "invalid_key"
    assert "credentials are correct" in raised.value.hint


@pytest.mark.parametrize(
    ("status", "code", "hint"),
    [
        (404, "model_not_found", "Choose another model."),
        (409, "busy", "Wait."),
        (422, "x", "Correct the problem"),
    ],
)
def test_status_code_and_message_are_kept(call, platform, status, code, hint):
    platform.answers = [(status, {}, {"error": {"message": "no such thing", "code": code}})]
    with pytest.raises(ApiError, match=f"Acme answered {status}: no such thing") as raised:
        call()
    assert (raised.value.status, raised.value.code) == (status, code)
    assert hint in raised.value.hint
    assert isinstance(raised.value.__cause__, openai.APIStatusError)


def test_a_lost_connection_is_an_api_error_without_a_status(call, platform):
    platform.answers = [(0, {}, b"")]
    with pytest.raises(ApiError) as raised:
        call()
    assert raised.value.status is None
    assert "Check the network" in raised.value.hint


def test_a_timeout_is_a_deploy_timeout(platform, call):
    def wait(request):
        time.sleep(0.5)
        return 200, {}, {}

    platform.answer = wait
    with pytest.raises(DeployTimeout):
        call(timeout=0.1)


@pytest.fixture
def call_aws(platform, monkeypatch):
    """Return a function that calls AWS Lambda's API with botocore."""
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")

    def run(**keys):
        client = botocore.session.get_session().create_client(
            "lambda", region_name="eu-west-1", endpoint_url=platform.url, **keys
        )
        with convert_sdk_errors("AWS", ClientError, BotoCoreError):
            client.get_function(FunctionName="shop")

    return run


KEYS = {"aws_access_key_id": "AKIDEXAMPLE", "aws_secret_access_key": "secret-key-1"}


def test_missing_credentials_are_an_auth_error(call_aws, platform):
    with pytest.raises(AuthError, match="credentials"):
        call_aws()
    assert platform.seen == []


def test_a_response_that_is_a_mapping_is_read(call_aws, platform):
    headers = {"x-amzn-errortype": "ResourceNotFoundException"}
    platform.answers = [(404, headers, {"Type": "User", "Message": "Function not found"})]
    with pytest.raises(ApiError, match="AWS answered 404: Function not found") as raised:
        call_aws(**KEYS)
    assert (raised.value.status, raised.value.code) == (404, "ResourceNotFoundException")


class WrappingError(Exception):
    """An SDK's connection error."""


def test_an_error_of_the_kit_within_an_sdk_is_kept(platform):
    platform.answers = [(403, {}, {"error": {"code": "forbidden", "message": "not yours"}})]

    def request():
        with connect(platform.url, Secret("kit-token-1")) as client:
            try:
                client.get("/x")
            except AuthError as error:
                raise WrappingError("Connection error.") from error

    with pytest.raises(AuthError, match="not yours"), convert_sdk_errors("Acme", WrappingError):
        request()


def test_other_exceptions_pass(platform):
    with pytest.raises(ZeroDivisionError), convert_sdk_errors("Acme", openai.OpenAIError):
        raise ZeroDivisionError


@pytest.mark.parametrize(
    "arguments", [((BotoCoreError, ClientError),), ("x",), (ValueError(),), ()]
)
def test_an_argument_that_is_no_class_is_refused_before_the_call(arguments):
    with (
        pytest.raises(TypeError, match="convert_sdk_errors"),
        convert_sdk_errors("AWS", *arguments),
    ):
        pytest.fail("the call was made")
