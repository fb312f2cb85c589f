"""Promises on what a deployer says of itself."""
# ruff: noqa: S101  # a promise is an assertion

from __future__ import annotations

import dataclasses
import re
from typing import get_type_hints

import pytest

from mastra_core.errors import AuthError
from mastra_core.secret import Secret
from mastra_deployer.testing.fixtures import Promises
from mastra_deployer.testing.harness import Rig
from mastra_deployer.testing.in_process import HandedLine, unmarked
from mastra_deployer.testing.isolated_env import offline
from mastra_deployer.testing.subprocess_build import is_importable, run_python

__all__ = ("Facts",)

_LOOK = """
import sys, mastra_core, mastra_core.errors, mastra_core.hooks, mastra_core.pipeline
module = sys.argv[1]
mine = {"mastra_core", "msgspec", "opentelemetry", "pluggy", module.partition(".")[0]}

class Door:
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        if top not in mine and top not in sys.stdlib_module_names:
            raise ImportError(f"{module} imports {name} at its top")

sys.meta_path.insert(0, Door())
__import__(module)
"""


class Facts(Promises):
    """The target, its settings, its hooks."""

    def test_hooks_are_spelled_right(self, deployer: object) -> None:
        """Every ``mastra_`` function is a hook that exists, marked and synchronous."""
        HandedLine(deployer)
        assert not list(unmarked(deployer)), "these lack @hookimpl"

    def test_the_target_is_described(self, deployer: object) -> None:
        """The target has a name, one line of summary and at least one platform; no network."""
        with offline() as tried:
            target = HandedLine(deployer).target
        assert not tried, "mastra_target used the network"
        assert re.fullmatch(r"[a-z][a-z0-9-]*", target.name), "a name is lower case, and one word"
        assert target.summary.strip(), "the summary is empty"
        assert "\n" not in target.summary, "the summary is one line"
        assert target.platforms, "there is no platform"

    def test_settings_are_frozen_and_name_their_target(self, deployer: object) -> None:
        """The settings are a frozen dataclass whose class attribute ``target`` is the name."""
        target = HandedLine(deployer).target
        assert dataclasses.is_dataclass(target.settings), "the settings are no dataclass"
        parameters = target.settings.__dataclass_params__  # type: ignore[attr-defined]  # CPython's
        assert parameters.frozen, "the settings can be changed: frozen=True is missing"
        assert getattr(target.settings, "target", None) == target.name
        names = [field.name for field in dataclasses.fields(target.settings)]
        assert "target" not in names, "target is a field: annotate it as ClassVar[str]"

    def test_credentials_are_environment_variables(self, deployer: object) -> None:
        """Credentials are named like variables, and every secret setting is one of them."""
        target = HandedLine(deployer).target
        for name in target.credentials:
            assert re.fullmatch(r"[A-Z][A-Z0-9_]*", name), f"{name!r} is no variable's name"
        hints = get_type_hints(target.settings)
        for field in dataclasses.fields(target.settings):
            if hints[field.name] in (Secret, Secret | None):
                where = f"the secret setting {field.name!r} reaches no hook: metadata env"
                assert field.metadata.get("env") in target.credentials, where

    def test_its_module_imports_only_core(self, deployer: object) -> None:
        """The settings can be imported where nothing but mastra-core is installed."""
        if not is_importable(deployer):
            pytest.skip("the deployer is no module that can be imported by name")
        run_python("-c", _LOOK, deployer.__name__)  # type: ignore[attr-defined]  # it is a module

    def test_missing_credentials_are_told(self, rig: Rig) -> None:
        """What cannot be done without a credential is an AuthError that names it."""
        self.needs(rig, "deploy")
        names = rig.line.target.credentials
        if not names:
            pytest.skip("the target has no credentials")
        with pytest.raises(AuthError) as raised:
            rig.deploy(rig.bundle(), token="")
        assert names[0] in str(raised.value), f"the error does not name {names[0]}"
