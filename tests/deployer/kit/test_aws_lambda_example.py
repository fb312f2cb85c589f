"""The example of the documentation against moto, a simulation of AWS."""

import io
import tomllib
import zipfile
from types import SimpleNamespace
from typing import ClassVar

import pytest

from mastra_core.errors import ApiError, AuthError, DeployError
from mastra_deployer.testing import DeployerSuite
from tests.conformance.deployer_sources import load_module, unload_module
from tests.laws.test_docs import blocks
from tests.repository import ROOT

pytest.importorskip("moto.server")

from moto.awslambda.models import lambda_backends
from moto.iam.models import iam_backends
from moto.server import ThreadedMotoServer

ACCOUNT, REGION = "123456789012", "eu-west-1"
PAGE = ROOT / "docs" / "aws-lambda-example.md"
KEY = "AKIA4711EXAMPLE"


class Suite(DeployerSuite):
    """Not collected: the tests here use its harness."""

    credentials: ClassVar = {"AWS_SECRET_ACCESS_KEY": "secret-4711"}


def read_block(language):
    """Return the first block of a language on the page."""
    return next(block for _, block in blocks(PAGE, language))


@pytest.fixture(scope="module")
def aws():
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    iam_backends[ACCOUNT]["aws"].create_role("mastra", "{}", "/", None, "", [], "3600")
    yield "http://{}:{}".format(*server.get_host_and_port())
    server.stop()


@pytest.fixture
def harness(aws, tmp_path):
    settings = tomllib.loads(read_block("toml"))["tool"]["mastra"]["targets"]["lambda"]
    assert settings.pop("deployer") == "./deploy/aws_lambda.py"
    settings["region"] = REGION
    platform = SimpleNamespace(url=aws, token=KEY, get_settings=lambda: settings)
    module = load_module(read_block("python"), tmp_path)
    with Suite().run_harness(module, platform, tmp_path / "harness") as harness:
        harness.settings = settings
        yield harness
    unload_module(module, tmp_path)


def get_live():
    """Return the version that users see, its files and its variables."""
    storage = lambda_backends[ACCOUNT][REGION]._lambdas
    alias = storage._get_function_aliases("shop")["live"]
    version = storage._get_version("shop", alias.function_version)
    archive = zipfile.ZipFile(io.BytesIO(version.code_bytes))
    files = {name: archive.read(name) for name in archive.namelist()}
    return str(version.version), files, dict(version.environment_vars)


def test_the_example_has_a_hundred_lines_at_most():
    lines = [line for line in read_block("python").splitlines() if line.strip()]
    assert len(lines) <= 100
    assert max(map(len, lines)) <= 100


def test_plan_deploy_list_and_roll_back(harness):
    bundles = [harness.bundle("1"), harness.bundle("2")]
    plan = harness.call("plan", bundles[0], harness.build_request())
    assert plan.creates == ("function shop",) and plan.upload > 1000
    first = harness.deploy(bundles[0], message="the first words")
    assert first.live and first.url.startswith("https://")
    id_, files, env = get_live()
    assert (id_, env) == (first.id, harness.env)
    assert {"handler.py", "handler_app.py", "index.py"} <= set(files)
    plan = harness.call("plan", bundles[0], harness.build_request())
    assert (plan.creates, plan.upload) == ((), 0)
    with harness.record_requests() as requests:
        assert harness.deploy(bundles[0]).id == first.id
    assert sum(len(item.body) for item in requests) < 500, "the archive was sent again"
    second = harness.deploy(bundles[1], message="more words")
    assert get_live()[0] == second.id != first.id
    assert get_live()[1] != files
    listed = harness.call("deployments", 10)
    assert [(item.id, item.live) for item in listed] == [(second.id, True), (first.id, False)]
    assert [item.message for item in listed] == ["more words", "the first words"]
    assert [item.id for item in harness.call("deployments", 1)] == [second.id]
    for expected in (first, second):
        assert harness.call("rollback", "", harness.recorder).id == expected.id == get_live()[0]
    with pytest.raises(DeployError, match="no deployment '9'"):
        harness.call("rollback", "9", harness.recorder)


def test_errors_are_those_of_mastra(harness):
    bundle = harness.bundle()
    harness.settings["function"] = "other"
    with pytest.raises(DeployError, match="no earlier deployment"):
        harness.call("rollback", "", harness.recorder)
    assert harness.call("deployments", 10) == []
    with pytest.raises(AuthError, match="AWS_ACCESS_KEY_ID is not set"):
        harness.deploy(bundle, token="")
    with harness.record_requests() as requests, pytest.raises(DeployError) as raised:
        harness.deploy(bundle, wait=False)
    assert "--no-wait" in raised.value.hint and not requests
    harness.settings["role"] = "arn:aws:iam::123456789012:role/nobody"
    with pytest.raises(ApiError, match="AWS Lambda answered 400") as raised:
        harness.deploy(bundle)
    assert raised.value.code == "InvalidParameterValueException"
