"""Hooks that are generators, and stores of variables: their code runs after the call itself."""

import dataclasses
import os
import signal
import sys
import time
from pathlib import Path
from typing import ClassVar

import pytest

from mastra_core import Secret
from mastra_core.errors import AuthError, DeployError, PluginError
from mastra_core.hooks import hookimpl
from mastra_core.pipeline import (
    Build,
    Bundle,
    BundleManifest,
    LogLine,
    Platform,
    Problem,
    SilentReport,
    Target,
    TargetLimits,
)
from mastra_deployer.plugins.hook_calls import PlatformAccess
from mastra_deployer.project.termination import Termination, raise_at_termination
from mastra_deployer.testing.in_process import InProcessCaller

MANIFEST = BundleManifest(app="a:b", paths=(), python="3.12", wheels="any", entry="a:b")
BUNDLE = Bundle(directory=Path(), manifest=MANIFEST)
BUILD = Build(directory=Path(), platform=Platform(), manifest=MANIFEST)


@dataclasses.dataclass(frozen=True)
class Settings:
    target: ClassVar[str] = "mine"


ACCESS = PlatformAccess(Settings(), {})


class Mine:
    """Yields a line on stdout and a problem; then does what the test wants."""

    def __init__(self, end=lambda: None):
        self.end = end

    def produce(self, item):
        print("a line of the deployer")
        yield item
        self.end()

    @hookimpl
    def mastra_target(self):
        return Target(
            name="mine", summary="a test", settings=Settings, limits=TargetLimits(variable=4)
        )

    @hookimpl
    def mastra_check(self):
        yield from self.produce(Problem(message="Small."))

    @hookimpl
    def mastra_inspect(self):
        yield from self.produce(Problem(message="Small."))

    @hookimpl
    def mastra_verify(self):
        yield from self.produce(Problem(message="Small."))

    @hookimpl
    def mastra_doctor(self):
        yield from self.produce(Problem(message="Small."))

    @hookimpl
    def mastra_deployments(self):
        yield from self.produce("no deployment")

    @hookimpl
    def mastra_logs(self):
        yield from self.produce(LogLine(text="a line"))

    @hookimpl
    def mastra_env(self):
        return self

    def list(self):
        yield from self.produce(("NAME", "everywhere"))

    def set(self, values):
        self.end()

    def unset(self, names):
        self.end()


READS = {
    "mastra_check": lambda caller: caller.check(BUILD, Settings()),
    "mastra_inspect": lambda caller: caller.inspect(BUNDLE, Settings()),
    "mastra_verify": lambda caller: caller.verify(BUNDLE, Settings(), SilentReport()),
    "mastra_doctor": lambda caller: caller.diagnose(ACCESS),
    "mastra_deployments": lambda caller: caller.list_deployments(ACCESS, 5),
    "mastra_logs": lambda caller: list(caller.iter_logs(ACCESS, "", None, follow=False)),
    "mastra_env": lambda caller: caller.get_env_store(ACCESS, "production").list(),
}


@pytest.mark.parametrize("hook", READS)
def test_a_failing_generator_is_a_defect_of_its_deployer(hook, capsys):
    with pytest.raises(PluginError, match=f"{hook} of Mine failed: ZeroDivisionError"):
        READS[hook](InProcessCaller(Mine(lambda: 1 / 0)))
    assert capsys.readouterr().out == "", "stdout is for the command's own output"


@pytest.mark.parametrize("hook", READS)
def test_an_exit_is_a_defect_of_its_deployer(hook):
    """It would end the command without an error, and with the exit code 0."""
    with pytest.raises(PluginError, match=f"{hook} of Mine failed: SystemExit: 0"):
        READS[hook](InProcessCaller(Mine(lambda: sys.exit(0))))


def test_a_value_that_the_target_does_not_allow_is_not_stored():
    stored = []
    store = InProcessCaller(Mine(lambda: stored.append(True))).get_env_store(ACCESS, "production")
    store.set({"A": Secret("1234")})
    with pytest.raises(DeployError, match="value of A has 5 bytes, but 'mine' allows 4") as raised:
        store.set({"A": Secret("12345")})
    assert "12345" not in str(raised.value)
    assert stored == [True]


def test_sigterm_passes_through_a_hook():
    def terminate():
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(60)  # until the signal arrives

    before = signal.getsignal(signal.SIGTERM)
    raise_at_termination()
    try:
        with pytest.raises(Termination) as raised:
            InProcessCaller(Mine(terminate)).diagnose(ACCESS)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert raised.value.code == 143


@pytest.mark.parametrize("hook", READS)
def test_errors_of_mastra_pass_through_a_generator(hook):
    def refuse():
        raise AuthError("No.", "Log in.")

    with pytest.raises(AuthError, match="No"):
        READS[hook](InProcessCaller(Mine(refuse)))


@pytest.mark.parametrize("hook", READS)
def test_generators_and_lists_are_read(hook):
    caller = InProcessCaller(Mine())
    if hook == "mastra_deployments":
        with pytest.raises(PluginError, match="contains a str"):
            READS[hook](caller)
    else:
        assert len(READS[hook](caller)) == 1


def test_a_failing_store_is_a_defect_of_its_deployer():
    store = InProcessCaller(Mine(lambda: 1 / 0)).get_env_store(ACCESS, "production")
    for call in (store.set, store.unset):
        with pytest.raises(PluginError, match="mastra_env of Mine failed"):
            call({})


class Listener:
    """An ambient plugin that records what it is told, or fails."""

    def __init__(self, error=None):
        self.error, self.stages = error, []

    @hookimpl
    def mastra_stage_finished(self, stage):
        if self.error:
            raise self.error
        self.stages.append(stage)

    @hookimpl
    def mastra_inspect(self):
        if self.error:
            raise self.error
        return [Problem(message="From a plugin.", severity="note")]


class Warnings(SilentReport):
    """Keeps all warnings."""

    def __init__(self):
        self.texts = []

    def warn(self, text, hint=""):
        self.texts.append(text)


def add_plugins(caller, **plugins):
    for name, plugin in plugins.items():
        caller._plugins.register(plugin, name=name)
    return caller


def test_a_listener_that_fails_keeps_no_other_from_being_called():
    listeners = {
        "first": Listener(),
        "broken": Listener(RuntimeError("boom")),
        "refusing": Listener(AuthError("No.", "Log in.")),
        "last": Listener(),
    }
    caller, report = add_plugins(InProcessCaller(Mine()), **listeners), Warnings()
    caller.notify_reused(BUNDLE, report)
    assert [listeners[name].stages for name in ("first", "last")] == [["bundle"], ["bundle"]]
    assert report.texts == [
        "mastra_stage_finished of refusing failed: No.",
        "mastra_stage_finished of broken failed: RuntimeError: boom.",
    ]


def test_an_error_names_the_plugin_that_failed():
    plugins = {"fine": Listener(), "broken": Listener(RuntimeError("boom"))}
    caller = add_plugins(InProcessCaller(Mine()), **plugins)
    with pytest.raises(PluginError, match="mastra_inspect of broken failed: RuntimeError: boom"):
        caller.inspect(BUNDLE, Settings())


def test_problems_of_plugins_follow_those_of_the_deployer():
    caller = add_plugins(InProcessCaller(Mine()), one=Listener(), two=Listener())
    messages = [problem.message for problem in caller.inspect(BUNDLE, Settings())]
    assert messages == ["Small.", "From a plugin.", "From a plugin."]
