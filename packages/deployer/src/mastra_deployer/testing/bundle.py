"""Tests of bundles."""
# ruff: noqa: S101  # tests assert

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import pytest

from mastra_core.pipeline import Bundle
from mastra_deployer.project.settings import get_variables
from mastra_deployer.testing.fixtures import SuiteFixtures
from mastra_deployer.testing.harness import Harness
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
    """Bundling depends only on the build and the settings, and writes one directory."""

    def test_bundling_is_reproducible(self, harness: Harness) -> None:
        """The same inputs give the same bytes in another directory, at another time and umask."""
        first = harness.bundle()
        build = harness.build()
        for path in build.directory.rglob("*"):
            os.utime(path, (10**9, 10**9))
        with isolate(IsolatedEnvironment(harness.root / "isolated")):
            second = harness.bundle(build=build)
        _assert_equal(first, second)

    def test_bundling_is_reproducible_in_another_process(self, harness: Harness) -> None:
        """The same inputs give the same bytes with another hash seed, which reorders sets."""
        if not is_importable(harness.deployer):
            pytest.skip("the deployer is not a module that can be imported by name")
        first = harness.bundle()
        name = harness.deployer.__name__  # type: ignore[attr-defined]  # it is a module
        other = bundle_in_subprocess(name, harness.make_directory(), harness.settings_table)
        _assert_equal(first, Bundle.load(other))

    def test_bundling_writes_only_into_its_directory(self, harness: Harness) -> None:
        """Bundling writes nothing to the home, working, temporary and neighbouring directories."""
        environment = IsolatedEnvironment(harness.root / "isolated")
        build, before = harness.build(), set(_list_directories(harness))
        with isolate(environment):
            bundle = harness.bundle(build=build)
        assert not environment.list_files(), "these were left behind"
        assert set(_list_directories(harness)) - before == {bundle.directory.name}, (
            "there is more beside it"
        )

    def test_bundling_does_not_change_the_build(self, harness: Harness) -> None:
        """Bundling changes no contents, modes or names in the build, which all targets share."""
        build = harness.build()
        before, modes = read_files(build.directory), _read_modes(build.directory)
        harness.bundle(build=build)
        assert read_files(build.directory) == before
        assert _read_modes(build.directory) == modes

    def test_bundling_needs_no_network(self, harness: Harness) -> None:
        """Bundling, checking and inspecting use no network."""
        build = harness.build()
        with block_network() as attempts:
            bundle = harness.bundle(build=build)
            settings = harness.build_access().settings
            harness.caller.check(build, settings)
            harness.caller.inspect(bundle, settings)
        assert not attempts, "these addresses were tried"

    def test_bundling_needs_no_credentials(self, harness: Harness) -> None:
        """The bytes are the same with and without credentials in the environment."""
        target = harness.caller.target
        fields = dataclasses.fields(target.settings)
        names = {*target.credentials, *(name for field in fields for name in get_variables(field))}
        with pytest.MonkeyPatch.context() as patch:
            for name in names:
                patch.delenv(name, raising=False)
            without = harness.bundle()
            for name in names:
                patch.setenv(name, f"value-of-{name}")
            _assert_equal(without, harness.bundle())

    def test_a_bundle_holds_no_secret(self, harness: Harness) -> None:
        """No file and no name in the bundle contains a credential or a value of a variable."""
        names = harness.caller.target.credentials
        variables = {**dict.fromkeys(names, harness.platform.token), **harness.env}
        with isolate(IsolatedEnvironment(harness.root / "isolated"), **variables):
            bundle = harness.bundle()
        for path, content in read_files(bundle.directory).items():
            secrets = find_occurrences(content + path.encode(), harness.secrets)
            assert not secrets, f"{path} has a secret"

    def test_a_bundle_has_no_local_paths_or_names(self, harness: Harness) -> None:
        """No bundle contains a path, user name or host name of this machine."""
        environment = IsolatedEnvironment(harness.root / "isolated")
        with isolate(environment):
            bundle = harness.bundle()
        names = (*environment.names, str(harness.root), str(harness.root.resolve()))
        for path, content in read_files(bundle.directory).items():
            local = find_occurrences(content + path.encode(), names)
            assert not local, f"{path} has a local path or name"

    def test_a_copied_bundle_loads(self, harness: Harness) -> None:
        """A copy of the bundle has the same manifest."""
        bundle = harness.bundle()
        assert harness.copy_bundle(bundle).manifest == bundle.manifest

    def test_every_file_of_the_app_is_live(self, harness: Harness) -> None:
        """Each file of the app and its dependencies is live, even an empty or duplicate file."""
        self.require(harness, "deploy")
        build = harness.build()
        expected = {
            path.partition("/")[2]: content
            for path, content in read_files(build.directory).items()
            if path.startswith(("app/", "vendor/"))
        }
        harness.deploy(harness.bundle(build=build))
        live = harness.get_live().files
        for path, content in expected.items():
            found = [item for name, item in live.items() if f"/{name}".endswith(f"/{path}")]
            assert content in found, f"{path} is not live as it was"


def _assert_equal(first: Bundle, second: Bundle) -> None:
    one, two = read_files(first.directory), read_files(second.directory)
    assert sorted(one) == sorted(two), "other files"
    differing = [path for path in one if one[path] != two[path]]
    assert not differing, "these files differ"


def _list_directories(harness: Harness) -> list[str]:
    return [path.name for path in harness.root.iterdir()]


def _read_modes(directory: Path) -> dict[str, int]:
    return {str(path): path.stat().st_mode for path in directory.rglob("*")}
