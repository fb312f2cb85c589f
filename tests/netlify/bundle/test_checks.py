"""Checks of settings and names, offline."""

import dataclasses

import msgspec
import pytest

from mastra_deployer.testing.sample_app import sample_build
from mastra_deployer_netlify import NetlifyDeployer
from mastra_deployer_netlify.bundle.checks import check_build
from mastra_deployer_netlify.hooks import mastra_target

VALID = NetlifyDeployer(project_name="shop", region="fra", memory=2048, static="site")


@pytest.fixture
def build(tmp_path):
    return sample_build(tmp_path, mastra_target())


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
