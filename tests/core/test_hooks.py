"""The specification, under the plugin library itself."""

import dataclasses
import datetime as dt
from pathlib import Path

import pluggy
import pytest

from mastra_core.hooks import NAME, DeployerSpec, PluginSpec, hookimpl
from mastra_core.pipeline import (
    Build,
    Bundle,
    BundleManifest,
    Deployment,
    DeployRequest,
    Plan,
    Platform,
    Problem,
    Silent,
    Target,
)

MANIFEST = BundleManifest(app="a:b", paths=(), python="3.12", wheels="any", entry="a:b")
BUNDLE = Bundle(directory=Path(), manifest=MANIFEST)
DEPLOYMENT = Deployment(
    target="acme",
    id="1",
    url="https://a.example",
    environment="preview",
    created=dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
)


@dataclasses.dataclass(frozen=True)
class Settings:
    app: str = "shop"


class Deployer:
    """Each hook takes no more than it needs."""

    @hookimpl
    def mastra_target(self):
        return Target(name="acme", summary="Acme", settings=Settings)

    @hookimpl
    def mastra_build(self):
        return None

    @hookimpl
    def mastra_inspect(self, bundle):
        yield Problem(message=f"{bundle.manifest.app} is large", severity="warning")

    @hookimpl
    def mastra_plan(self, bundle, request):
        return Plan(creates=(f"deployment to {request.environment}",), upload=3)


class Watcher:
    def __init__(self):
        self.heard = []

    @hookimpl
    def mastra_inspect(self, settings):
        return [Problem(message=f"{settings.app} is watched")]

    @hookimpl
    def mastra_deployed(self, deployment):
        self.heard.append(deployment.url)


def manager(spec, *plugins):
    made = pluggy.PluginManager(NAME)
    made.add_hookspecs(spec)
    for plugin in plugins:
        made.register(plugin)
    made.check_pending()
    return made.hook


def test_the_deployer_answers_before_mastras_own():
    class Own:
        @hookimpl
        def mastra_build(self, directory, platform):
            return Build(directory=directory, platform=platform, manifest=MANIFEST)

    hook = manager(DeployerSpec, Own(), Deployer())
    build = hook.mastra_build(
        project=None, target=None, platform=Platform(), directory=Path("x"), report=Silent()
    )
    assert build.directory == Path("x")
    assert hook.mastra_target().name == "acme"


def test_a_plan_is_one_answer_and_problems_are_many():
    hook = manager(DeployerSpec, Deployer(), Deployer())
    request = DeployRequest(environment="preview")
    plan = hook.mastra_plan(bundle=BUNDLE, settings=Settings(), credentials={}, request=request)
    assert plan.creates == ("deployment to preview",)
    answers = hook.mastra_inspect(bundle=BUNDLE, settings=Settings())
    assert [[problem.message for problem in answer] for answer in answers] == [
        ["a:b is large"],
        ["a:b is large"],
    ]


def test_an_ambient_plugin_watches_and_objects():
    watcher = Watcher()
    hook = manager(PluginSpec, watcher)
    ((problem,),) = hook.mastra_inspect(bundle=BUNDLE, settings=Settings())
    assert problem.message == "shop is watched"
    hook.mastra_deployed(deployment=DEPLOYMENT)
    assert watcher.heard == ["https://a.example"]


class Thief:
    @hookimpl
    def mastra_deploy(self, credentials):
        raise AssertionError


class Typo:
    @hookimpl
    def mastra_bundel(self):
        raise AssertionError


class Newer:
    @hookimpl
    def mastra_target(self, moon):
        raise AssertionError


@pytest.mark.parametrize(
    ("spec", "plugin"), [(PluginSpec, Thief), (DeployerSpec, Typo), (DeployerSpec, Newer)]
)
def test_what_is_not_in_the_specification_is_refused(spec, plugin):
    with pytest.raises(pluggy.PluginValidationError):
        manager(spec, plugin())


def test_a_hook_that_may_not_exist_yet_is_marked():
    class Later:
        @hookimpl(optionalhook=True)
        def mastra_of_tomorrow(self):
            raise AssertionError

    assert manager(DeployerSpec, Later()).mastra_target() is None


def test_no_hook_is_remembered_for_those_who_come_later():
    for spec in (DeployerSpec, PluginSpec):
        for name, member in vars(spec).items():
            if name.startswith("mastra_"):
                assert not member.mastra_spec["historic"], name
