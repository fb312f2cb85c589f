"""What `mastra deploy netlify` refuses: exit code, a sentence, a cure, and nothing is live."""

import pytest

from mastra_core.pipeline import SilentReport
from mastra_deployer.testing.sample_app import sample_build
from mastra_deployer_netlify import NetlifyDeployer
from mastra_deployer_netlify.hooks import mastra_bundle, mastra_target
from tests.deployer.bundler.package_index import wheel
from tests.netlify.fake import FakeNetlify
from tests.platform_fakes.faults import Fault

pytestmark = pytest.mark.usefixtures("bootstrap")
PAYMENT = Fault(status=402, raw=b'{"message": "Payment required"}')


@pytest.fixture(scope="module")
def prebuilt(tmp_path_factory, tiny_interpreter):
    """A bundle for all deploys of this module."""
    directory = tmp_path_factory.mktemp("netlify")
    for name in ("build", "bundle"):
        (directory / name).mkdir()
    settings = NetlifyDeployer(project_name="shop", interpreter=str(tiny_interpreter))
    build = sample_build(directory / "build", mastra_target())
    return mastra_bundle(build, directory / "bundle", settings, SilentReport()).directory


@pytest.fixture
def netlify(tiny_interpreter):
    fake = FakeNetlify(str(tiny_interpreter))
    yield fake
    fake.stop()


@pytest.fixture
def deploy(netlify, mastra, prebuilt, tmp_path):
    def run(*flags, **environment):
        variables = {"NETLIFY_API_URL": netlify.url, "NETLIFY_AUTH_TOKEN": netlify.token}
        return mastra(
            *("deploy", "netlify", "--prebuilt", prebuilt, "--prod", "--no-smoke"),
            *("-s", "project_name=shop", "-s", "scope=acme", *flags),
            cwd=tmp_path,
            **{**variables, **environment},
        )

    return run


def break_upload(netlify):
    netlify.platform.function_rejection = (413, "Request Entity Too Large")


def take_name(netlify):
    netlify.platform.taken_names = {"shop"}


def fail(netlify):
    netlify.fail_deployments("the build image is gone")


def hang(netlify):
    netlify.hang_deployments()


def refuse_payment(netlify):
    netlify.add_fault("POST", "/deploys$", PAYMENT)


CASES = {
    "token": (None, {"NETLIFY_AUTH_TOKEN": "nfp_wrong"}, 7, ("401", "user/applications")),
    "name": (take_name, {}, 6, ("The name 'shop'", "such as shop-")),
    "size": (break_upload, {}, 8, ("'api'", "52,428,800 bytes zipped", "Python 3.")),
    "payment": (refuse_payment, {}, 8, ("Payment required", "billing")),
    "failure": (fail, {}, 9, ("the build image is gone", "app.netlify.com")),
    "timeout": (hang, {}, 10, ("did not finish within 1 s", "Check its state")),
    "variables": (None, {"GREETING": "x" * 4090}, 6, ("allows 4,096", "load them")),
}


@pytest.mark.slow
@pytest.mark.parametrize(("change", "environment", "code", "words"), CASES.values(), ids=CASES)
def test_a_refused_deploy_has_its_exit_code(netlify, deploy, change, environment, code, words):
    if change:
        change(netlify)
    deploy("-s", "timeout=1", **environment).failed(code, *words)
    assert netlify.get_published() is None


@pytest.mark.slow
def test_a_dependency_without_a_wheel_for_linux_is_named(mastra, project, tmp_path):
    wheel(tmp_path, "windowsonly", "1.0", tag="cp311-cp311-win_amd64")
    root = project(
        {"main.py": "import windowsonly\napp = windowsonly"}, dependencies=["windowsonly"]
    )
    done = mastra(
        *("bundle", "netlify", "--app", "main:app", "-s", "project_name=shop"),
        cwd=root,
        UV_FIND_LINKS=str(tmp_path),
    )
    done.failed(4, "windowsonly", "no wheel")


@pytest.mark.slow
def test_an_entry_that_reads_a_missing_variable_is_explained(mastra, project):
    root = project(
        {"main.py": 'import os\n\nurl = os.environ["SHOP_URL"]\n\n\ndef app():\n    ...\n'}
    )
    done = mastra("bundle", "netlify", "--app", "main:app", "-s", "project_name=shop", cwd=root)
    done.failed(2, "SHOP_URL", "[tool.mastra.env]")
