"""Promises on bundles."""
# ruff: noqa: S101  # a promise is an assertion

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import pytest

from mastra_core.pipeline import Bundle
from mastra_deployer.testing.fixtures import Promises
from mastra_deployer.testing.harness import Rig
from mastra_deployer.testing.isolated_env import Place, contents, elsewhere, offline
from mastra_deployer.testing.recorder import holds
from mastra_deployer.testing.subprocess_build import bundle_afresh, is_importable

__all__ = ("Bundling",)


class Bundling(Promises):
    """A build and settings become a directory, and nothing else happens."""

    def test_bundling_gives_the_same_bytes_again(self, rig: Rig) -> None:
        """Same inputs, same bytes: in another directory, at another time, with another umask."""
        first = rig.bundle()
        build = rig.build()
        for path in build.directory.rglob("*"):
            os.utime(path, (10**9, 10**9))
        with elsewhere(Place(rig.scratch / "place")):
            second = rig.bundle(build=build)
        _same(first, second)

    def test_bundling_gives_the_same_bytes_in_another_process(self, rig: Rig) -> None:
        """Same inputs, same bytes: with another hash seed, so no set decides an order."""
        if not is_importable(rig.deployer):
            pytest.skip("the deployer is no module that can be imported by name")
        first = rig.bundle()
        name = rig.deployer.__name__  # type: ignore[attr-defined]  # it is a module
        other = bundle_afresh(name, rig.directory(), rig.table)
        _same(first, Bundle.load(other))

    def test_bundling_writes_only_into_its_directory(self, rig: Rig) -> None:
        """Home, working and temporary directory, and what lies beside, are as before."""
        place, build, beside = Place(rig.scratch / "place"), rig.build(), set(_around(rig))
        with elsewhere(place):
            bundle = rig.bundle(build=build)
        assert not place.left(), "these were left behind"
        assert set(_around(rig)) - beside == {bundle.directory.name}, "there is more beside it"

    def test_bundling_changes_nothing_in_the_build(self, rig: Rig) -> None:
        """The build is shared by all targets: content, modes and names stay."""
        build = rig.build()
        before, modes = contents(build.directory), _modes(build.directory)
        rig.bundle(build=build)
        assert contents(build.directory) == before
        assert _modes(build.directory) == modes

    def test_bundling_needs_no_network(self, rig: Rig) -> None:
        """Nothing is asked of anybody while a bundle is made, checked and inspected."""
        build = rig.build()
        with offline() as tried:
            bundle = rig.bundle(build=build)
            settings = rig.access().settings
            rig.line.check(build, settings)
            rig.line.inspect(bundle, settings)
        assert not tried, "these addresses were tried"

    def test_bundling_needs_no_credentials(self, rig: Rig) -> None:
        """With or without credentials in the environment, the same bytes."""
        target = rig.line.target
        fields = dataclasses.fields(target.settings)
        names = {*target.credentials, *(field.metadata.get("env", "") for field in fields)} - {""}
        with pytest.MonkeyPatch.context() as patch:
            for name in names:
                patch.delenv(name, raising=False)
            without = rig.bundle()
            for name in names:
                patch.setenv(name, f"value-of-{name}")
            _same(without, rig.bundle())

    def test_a_bundle_holds_no_secret(self, rig: Rig) -> None:
        """No credential and no value of a variable is in any file or name of the bundle."""
        names = rig.line.target.credentials
        planted = {**dict.fromkeys(names, rig.platform.token), **rig.env}
        with elsewhere(Place(rig.scratch / "place"), **planted):
            bundle = rig.bundle()
        for path, content in contents(bundle.directory).items():
            assert not holds(content + path.encode(), rig.secrets), f"{path} holds a secret"

    def test_a_bundle_forgets_where_it_was_made(self, rig: Rig) -> None:
        """No path of this machine, no user and no host name is in it."""
        place = Place(rig.scratch / "place")
        with elsewhere(place):
            bundle = rig.bundle()
        names = (*place.names, str(rig.scratch), str(rig.scratch.resolve()))
        for path, content in contents(bundle.directory).items():
            assert not holds(content + path.encode(), names), f"{path} tells where it was made"

    def test_a_bundle_loads_again(self, rig: Rig) -> None:
        """A copy of the bundle is the same bundle: sealed last, for this target."""
        bundle = rig.bundle()
        assert rig.copy(bundle).manifest == bundle.manifest

    def test_nothing_of_the_app_is_left_out(self, rig: Rig) -> None:
        """Every file of the app and its dependencies is live, twins and empty ones included."""
        self.needs(rig, "deploy")
        build = rig.build()
        wanted = {
            path.partition("/")[2]: content
            for path, content in contents(build.directory).items()
            if path.startswith(("app/", "vendor/"))
        }
        rig.deploy(rig.bundle(build=build))
        live = rig.live().files
        for path, content in wanted.items():
            there = [item for name, item in live.items() if f"/{name}".endswith(f"/{path}")]
            assert content in there, f"{path} is not there as it was"


def _same(first: Bundle, second: Bundle) -> None:
    one, two = contents(first.directory), contents(second.directory)
    assert sorted(one) == sorted(two), "other files"
    differing = [path for path in one if one[path] != two[path]]
    assert not differing, "these files differ"


def _around(rig: Rig) -> list[str]:
    return [path.name for path in rig.scratch.iterdir()]


def _modes(directory: Path) -> dict[str, int]:
    return {str(path): path.stat().st_mode for path in directory.rglob("*")}
