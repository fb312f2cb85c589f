"""Checks of settings and names, offline."""

import dataclasses

import msgspec
import pytest

from mastra_core.pipeline import Bundle, SilentReport
from mastra_deployer.testing.sample_app import sample_build
from mastra_deployer_netlify import NetlifyDeployer
from mastra_deployer_netlify.bundle import function_limits
from mastra_deployer_netlify.bundle.checks import check_build, inspect_bundle
from mastra_deployer_netlify.hooks import mastra_bundle, mastra_target

VALID = NetlifyDeployer(project_name="shop", region="fra", memory=2048, static="site")


@pytest.fixture
def build(tmp_path):
    directory = tmp_path / "build"
    directory.mkdir()
    return sample_build(directory, mastra_target())


def test_valid_settings_have_no_problem(build):
    assert list(check_build(build, VALID)) == []


@pytest.mark.parametrize(
    "settings",
    [
        {"project_name": "Shop"},
        {"project_name": "my_shop"},
        {"project_name": "-shop"},
        {"project_name": "x" * 64},
        {"project_name": ""},
        {"region": "mars"},
        {"memory": 512},
        {"memory": 8192},
        {"timeout": -1},
        {"timeout": 10**11},
        {"static": "../other"},
    ],
)
def test_each_invalid_setting_is_one_problem_with_a_cure(build, settings):
    (problem,) = check_build(build, dataclasses.replace(VALID, **settings))
    assert repr(next(iter(settings.values()))) in problem.message
    assert problem.hint


def test_a_name_that_a_function_cannot_have_is_a_problem(build):
    manifest = msgspec.structs.replace(build.manifest, optional=("GOOD_1", "_BAD", "X"))
    problems = list(check_build(dataclasses.replace(build, manifest=manifest), VALID))
    assert [name for name in ("_BAD", "X") if any(repr(name) in p.message for p in problems)]
    assert len(problems) == 2


def test_a_file_that_no_response_can_carry_is_noted(build):
    for directory in ("site", "media"):
        (build.directory / "app" / directory).mkdir(exist_ok=True)
        with (build.directory / "app" / directory / "film.bin").open("wb") as file:
            file.truncate(20_971_521)
    (problem,) = check_build(build, VALID)
    assert (problem.severity, "'media/film.bin' has 20,971,521" in problem.message) == (
        "note",
        True,
    )
    assert "static=" in problem.hint


@pytest.mark.parametrize("limit", ["ZIPPED", "UNZIPPED"])
def test_a_function_over_a_limit_is_a_problem_with_its_largest_parts(
    build, tmp_path, bootstrap, tiny_interpreter, monkeypatch, limit
):
    settings = dataclasses.replace(VALID, static="", interpreter=str(tiny_interpreter))
    (tmp_path / "out").mkdir()
    bundle = mastra_bundle(build, tmp_path / "out", settings, SilentReport())
    assert list(inspect_bundle(bundle)) == []
    monkeypatch.setattr(function_limits, limit, 100_000)
    (problem,) = inspect_bundle(bundle)
    assert "allows 100,000" in problem.message
    assert "app 0.3 MB" in problem.hint, "the parts of the app are not named"
    many = {f"package{number}": number * 1_000_000 for number in range(1, 12)}
    sizes = {**bundle.manifest.sizes, **many, "Python 3.13": 9_500_000}
    manifest = msgspec.structs.replace(bundle.manifest, sizes=sizes)
    (problem,) = inspect_bundle(dataclasses.replace(bundle, manifest=manifest))
    parts = problem.hint.removeprefix("The largest parts are: ").split(", ")
    assert len(parts) == 10 and parts[0] == "package11 11.0 MB"
    assert "Python 3.13 9.5 MB" in parts, "the interpreter is one of the parts"


def test_a_bundle_without_its_function_is_a_problem(build):
    bundle = Bundle.seal(build, build.directory, "netlify")
    (problem,) = inspect_bundle(bundle)
    assert "mastra bundle netlify" in problem.hint
