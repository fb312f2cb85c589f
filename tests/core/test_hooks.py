"""The hook specifications, with pluggy itself."""

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
    SilentReport,
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


def build_manager(spec, *plugins):
    manager = pluggy.PluginManager(NAME)
    manager.add_hookspecs(spec)
    for plugin in plugins:
        manager.register(plugin)
    manager.check_pending()
    return manager.hook


def test_deployer_is_called_before_mastras_own():
    class Own:
        @hookimpl
        def mastra_build(self, directory, platform):
            return Build(directory=directory, platform=platform, manifest=MANIFEST)

    hook = build_manager(DeployerSpec, Own(), Deployer())
    build = hook.mastra_build(
        project=None, target=None, platform=Platform(), directory=Path("x"), report=SilentReport()
    )
    assert build.directory == Path("x")
    assert hook.mastra_target().name == "acme"


def test_first_result_and_list_hooks():
    hook = build_manager(DeployerSpec, Deployer(), Deployer())
    request = DeployRequest(environment="preview")
    plan = hook.mastra_plan(bundle=BUNDLE, settings=Settings(), credentials={}, request=request)
    assert plan.creates == ("deployment to preview",)
    answers = hook.mastra_inspect(bundle=BUNDLE, settings=Settings())
    assert [[problem.message for problem in answer] for answer in answers] == [
        ["a:b is large"],
        ["a:b is large"],
    ]


def test_ambient_plugin():
    watcher = Watcher()
    hook = build_manager(PluginSpec, watcher)
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
def test_unknown_hooks_are_rejected(spec, plugin):
    with pytest.raises(pluggy.PluginValidationError):
        build_manager(spec, plugin())


def test_optional_hook_is_accepted():
    class Later:
        @hookimpl(optionalhook=True)
        def mastra_of_tomorrow(self):
            raise AssertionError

    assert build_manager(DeployerSpec, Later()).mastra_target() is None


def test_no_hook_is_historic():
    for spec in (DeployerSpec, PluginSpec):
        for name, member in vars(spec).items():
            if name.startswith("mastra_"):
                assert not member.mastra_spec["historic"], name
