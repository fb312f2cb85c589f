"""Tests of bundles."""
# ruff: noqa: S101  # tests assert

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import pytest

from mastra_core.pipeline import Bundle
from mastra_deployer.testing.fixtures import SuiteFixtures
from mastra_deployer.testing.harness import Rig
from mastra_deployer.testing.isolated_env import (
    IsolatedEnvironment,
    block_network,
    isolate,
    read_files,
)
from mastra_deployer.testing.recorder import find_occurrences
from mastra_deployer.testing.subprocess_build import bundle_in_subprocess, is_importable

__all__ = ("BundleTests",)


class BundleTests(SuiteFixtures):
    """Bundling depends on the build and the settings only, and writes one directory."""

    def test_bundling_is_reproducible(self, rig: Rig) -> None:
        """The same inputs give the same bytes in another directory, time and umask."""
        first = rig.bundle()
        build = rig.build()
        for path in build.directory.rglob("*"):
            os.utime(path, (10**9, 10**9))
        with isolate(IsolatedEnvironment(rig.root / "isolated")):
            second = rig.bundle(build=build)
        _assert_equal(first, second)

    def test_bundling_is_reproducible_in_another_process(self, rig: Rig) -> None:
        """The same inputs give the same bytes with another hash seed, which reorders sets."""
        if not is_importable(rig.deployer):
            pytest.skip("the deployer is no module that can be imported by name")
        first = rig.bundle()
        name = rig.deployer.__name__  # type: ignore[attr-defined]  # it is a module
        other = bundle_in_subprocess(name, rig.make_directory(), rig.settings_table)
        _assert_equal(first, Bundle.load(other))

    def test_bundling_writes_only_into_its_directory(self, rig: Rig) -> None:
        """Nothing is written to the home, working, temporary and neighbouring directories."""
        environment = IsolatedEnvironment(rig.root / "isolated")
        build, before = rig.build(), set(_list_directories(rig))
        with isolate(environment):
            bundle = rig.bundle(build=build)
        assert not environment.list_files(), "these were left behind"
        assert set(_list_directories(rig)) - before == {bundle.directory.name}, (
            "there is more beside it"
        )

    def test_bundling_does_not_change_the_build(self, rig: Rig) -> None:
        """Content, modes and names of the build stay, because all targets share it."""
        build = rig.build()
        before, modes = read_files(build.directory), _read_modes(build.directory)
        rig.bundle(build=build)
        assert read_files(build.directory) == before
        assert _read_modes(build.directory) == modes

    def test_bundling_needs_no_network(self, rig: Rig) -> None:
        """Bundling, checking and inspecting use no network."""
        build = rig.build()
        with block_network() as attempts:
            bundle = rig.bundle(build=build)
            settings = rig.build_access().settings
            rig.caller.check(build, settings)
            rig.caller.inspect(bundle, settings)
        assert not attempts, "these addresses were tried"

    def test_bundling_needs_no_credentials(self, rig: Rig) -> None:
        """The bytes are the same with and without credentials in the environment."""
        target = rig.caller.target
        fields = dataclasses.fields(target.settings)
        names = {*target.credentials, *(field.metadata.get("env", "") for field in fields)} - {""}
        with pytest.MonkeyPatch.context() as patch:
            for name in names:
                patch.delenv(name, raising=False)
            without = rig.bundle()
            for name in names:
                patch.setenv(name, f"value-of-{name}")
            _assert_equal(without, rig.bundle())

    def test_a_bundle_holds_no_secret(self, rig: Rig) -> None:
        """No credential and no value of a variable is in any file or name of the bundle."""
        names = rig.caller.target.credentials
        variables = {**dict.fromkeys(names, rig.platform.token), **rig.env}
        with isolate(IsolatedEnvironment(rig.root / "isolated"), **variables):
            bundle = rig.bundle()
        for path, content in read_files(bundle.directory).items():
            secrets = find_occurrences(content + path.encode(), rig.secrets)
            assert not secrets, f"{path} has a secret"

    def test_a_bundle_has_no_local_paths_or_names(self, rig: Rig) -> None:
        """No path, user name or host name of this machine is in a bundle."""
        environment = IsolatedEnvironment(rig.root / "isolated")
        with isolate(environment):
            bundle = rig.bundle()
        names = (*environment.names, str(rig.root), str(rig.root.resolve()))
        for path, content in read_files(bundle.directory).items():
            local = find_occurrences(content + path.encode(), names)
            assert not local, f"{path} has a local path or name"

    def test_a_copied_bundle_loads(self, rig: Rig) -> None:
        """A copy of the bundle loads with the same manifest: it was sealed last."""
        bundle = rig.bundle()
        assert rig.copy_bundle(bundle).manifest == bundle.manifest

    def test_every_file_of_the_app_is_live(self, rig: Rig) -> None:
        """Every file of the app and its dependencies is live, duplicates and empty files too."""
        self.needs(rig, "deploy")
        build = rig.build()
        expected = {
            path.partition("/")[2]: content
            for path, content in read_files(build.directory).items()
            if path.startswith(("app/", "vendor/"))
        }
        rig.deploy(rig.bundle(build=build))
        live = rig.get_live().files
        for path, content in expected.items():
            found = [item for name, item in live.items() if f"/{name}".endswith(f"/{path}")]
            assert content in found, f"{path} is not live as it was"


def _assert_equal(first: Bundle, second: Bundle) -> None:
    one, two = read_files(first.directory), read_files(second.directory)
    assert sorted(one) == sorted(two), "other files"
    differing = [path for path in one if one[path] != two[path]]
    assert not differing, "these files differ"


def _list_directories(rig: Rig) -> list[str]:
    return [path.name for path in rig.root.iterdir()]


def _read_modes(directory: Path) -> dict[str, int]:
    return {str(path): path.stat().st_mode for path in directory.rglob("*")}
