"""Tests of a deployer's target, settings and hooks."""
# ruff: noqa: S101  # tests assert

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from typing import get_type_hints

import pytest

from mastra_core.errors import AuthError, ConfigError, MastraError
from mastra_core.pipeline import Bundle
from mastra_core.secret import Secret
from mastra_deployer.project.settings import get_variables
from mastra_deployer.testing.fixtures import SuiteFixtures
from mastra_deployer.testing.harness import Harness
from mastra_deployer.testing.in_process import InProcessCaller, iter_unmarked_hooks
from mastra_deployer.testing.isolated_env import block_network
from mastra_deployer.testing.subprocess_build import is_importable, run_python

__all__ = ("TargetTests",)

_IMPORT_SCRIPT = """
import sys, mastra_core, mastra_core.errors, mastra_core.hooks, mastra_core.pipeline
module = sys.argv[1]
allowed = {"mastra_core", "msgspec", "opentelemetry", "pluggy", module.partition(".")[0]}

class ImportBlocker:
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        if top not in allowed and top not in sys.stdlib_module_names:
            raise ImportError(f"{module} imports {name} at its top")

sys.meta_path.insert(0, ImportBlocker())
__import__(module)
"""


class TargetTests(SuiteFixtures):
    """The target is complete, and its settings can be imported with mastra-core alone."""

    def test_hooks_are_valid(self, deployer: object) -> None:
        """Each ``mastra_`` function is a known, synchronous hook with ``@hookimpl``."""
        InProcessCaller(deployer)
        assert not list(iter_unmarked_hooks(deployer)), "these lack @hookimpl"

    def test_the_target_has_a_description(self, deployer: object) -> None:
        """The target has a name, a summary of one line and a platform. No network is needed."""
        with block_network() as attempts:
            target = InProcessCaller(deployer).target
        assert not attempts, "mastra_target used the network"
        assert re.fullmatch(r"[a-z][a-z0-9-]*", target.name), "a name is lower case, and one word"
        assert target.summary.strip(), "the summary is empty"
        assert "\n" not in target.summary, "the summary is one line"
        assert target.platforms, "there is no platform"

    def test_settings_are_frozen_and_name_their_target(self, deployer: object) -> None:
        """The settings are a frozen dataclass; its attribute ``target`` has the target's name."""
        target = InProcessCaller(deployer).target
        assert dataclasses.is_dataclass(target.settings), "the settings are no dataclass"
        parameters = target.settings.__dataclass_params__  # type: ignore[attr-defined]  # CPython's
        assert parameters.frozen, "the settings are mutable: frozen=True is missing"
        assert getattr(target.settings, "target", None) == target.name
        names = [field.name for field in dataclasses.fields(target.settings)]
        assert "target" not in names, "target is a field: annotate it as ClassVar[str]"

    def test_credentials_are_environment_variables(self, deployer: object) -> None:
        """Credentials are environment variables; every secret setting is a credential."""
        target = InProcessCaller(deployer).target
        for name in target.credentials:
            assert re.fullmatch(r"[A-Z][A-Z0-9_]*", name), f"{name!r} is no name of a variable"
        hints = get_type_hints(target.settings)
        for field in dataclasses.fields(target.settings):
            if hints[field.name] in (Secret, Secret | None):
                message = f"the secret setting {field.name!r} reaches no hook: metadata env"
                assert set(get_variables(field)) & set(target.credentials), message

    def test_the_module_imports_only_core(self, deployer: object) -> None:
        """The deployer's module can be imported if only mastra-core is installed."""
        if not is_importable(deployer):
            pytest.skip("the deployer is not a module that can be imported by name")
        run_python("-c", _IMPORT_SCRIPT, deployer.__name__)  # type: ignore[attr-defined]  # it is a module

    def test_reserved_variables_are_refused(self, harness: Harness) -> None:
        """Setting a variable that the platform reserves is refused before anything is sent."""
        target = harness.caller.target
        names = (*self.reserved_variables, *target.reserved_variables)
        if not (names and target.stores_env and harness.caller.has_hook("deploy")):
            pytest.skip("the platform reserves no variables")
        bundle = harness.bundle()
        for name in (item.replace("*", "X") for item in names):
            with harness.record_requests() as requests:
                for call in self._list_settings_of(harness, bundle, name):
                    error = _catch_config_error(call)
                    assert error, f"{name} is accepted: list it in Target.reserved_variables"
                    assert name in error, f"the error does not name {name}"
            assert not requests, f"requests were sent before {name} was refused"

    @staticmethod
    def _list_settings_of(
        harness: Harness, bundle: Bundle, name: str
    ) -> list[Callable[[], object]]:
        """Return one call for each way to set a variable: a deploy, and the hook ``mastra_env``."""
        calls: list[Callable[[], object]] = [lambda: harness.deploy(bundle, env={name: "value"})]
        if harness.caller.has_hook("env"):
            calls.append(lambda: harness.set_variables("production", {name: "value"}))
        return calls

    def test_missing_credentials_raise_auth_error(self, harness: Harness) -> None:
        """A deploy without a required credential raises an AuthError with the credential's name."""
        self.require(harness, "deploy")
        names = harness.caller.target.credentials
        if not names:
            pytest.skip("the target has no credentials")
        with pytest.raises(AuthError) as raised:
            harness.deploy(harness.bundle(), token="")
        assert names[0] in str(raised.value), f"the error does not name {names[0]}"


def _catch_config_error(call: Callable[[], object]) -> str:
    """Return the message of the ``ConfigError`` that a call raises; empty if it raises none."""
    try:
        call()
    except ConfigError as error:
        return str(error)
    except MastraError:  # the platform refused it, after a part was sent
        return ""
    return ""
