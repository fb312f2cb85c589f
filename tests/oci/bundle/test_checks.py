"""Settings that no image can have are problems, found before anything is built."""

import pytest

from mastra_core.errors import ConfigError
from mastra_core.pipeline import SilentReport
from mastra_deployer.testing.sample_app import sample_build
from mastra_deployer_oci import OciDeployer, hooks
from mastra_deployer_oci.api.repository import open_target
from mastra_deployer_oci.bundle.image_plan import read_plan

IMAGE = "registry.example/team/app"
CASES = {
    "base={pyton}": ({"base": "python:{pyton}-slim"}, "is not a valid image reference"),
    "base={": ({"base": "python:{python"}, "is not a valid image reference"),
    "health": ({"health": "health"}, "health='health' is not a path"),
    "tag": ({"tag": "v1 beta"}, "tag='v1 beta' is not a valid tag"),
    "no tag": ({"tag": ""}, "tag='' is not a valid tag"),
    "tag of previews": ({"tag": "preview-main"}, "tag='preview-main' is reserved"),
    "tag of records": ({"tag": "mastra-live"}, "tag='mastra-live' is reserved"),
    "python": ({"python": ""}, "python='' is not a command"),
    "port": ({"port": 65536}, "port=65536 is not a port"),
    "user": ({"user": "app"}, "user='app' is not a numeric user"),
}


@pytest.fixture
def build(tmp_path):
    (tmp_path / "build").mkdir()
    return sample_build(tmp_path / "build", hooks.mastra_target())


def check(build, **settings):
    return list(hooks.mastra_check(build, OciDeployer(image=IMAGE, **settings)))


@pytest.mark.parametrize(("settings", "message"), CASES.values(), ids=CASES)
def test_an_invalid_setting_is_one_problem_with_a_cure(build, settings, message):
    (problem,) = check(build, **settings)
    assert message in problem.message
    assert problem.severity == "error"
    assert problem.hint


def test_valid_settings_have_no_problem(build):
    assert check(build) == check(build, health="", tag="v1.2_x") == []
    assert check(build, base="python:{python}-slim", health="/up?deep=1") == []


@pytest.mark.parametrize("tag", ["v1 beta", "../../other", "preview-main"])
def test_a_registry_gets_no_invalid_tag(tag):
    """Commands without a build, such as a rollback, check the tag too."""
    with pytest.raises(ConfigError, match="tag="):
        open_target(OciDeployer(image=IMAGE, tag=tag), {})


def test_the_python_version_of_the_base_is_that_of_the_build(build, tmp_path):
    (tmp_path / "bundle").mkdir()
    settings = OciDeployer(image=IMAGE, base="registry.example/base:{python}")
    bundle = hooks.mastra_bundle(build, tmp_path / "bundle", settings, SilentReport())
    assert read_plan(bundle.directory).base == f"registry.example/base:{build.platform.python}"
