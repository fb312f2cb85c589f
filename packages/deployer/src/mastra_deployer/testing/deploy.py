"""Tests of deploys without faults."""
# ruff: noqa: S101  # tests assert

from __future__ import annotations

import os
import shutil

import pytest

from mastra_core.pipeline import MANIFEST, Bundle
from mastra_deployer.testing.fixtures import SuiteFixtures
from mastra_deployer.testing.harness import Rig
from mastra_deployer.testing.isolated_env import IsolatedEnvironment, isolate

__all__ = ("DeployTests",)

_MAX_RESENT = 0.1  # share of the first deploy's bytes that a later one may send


class DeployTests(SuiteFixtures):
    """A deploy makes a bundle live, and sends only what the platform lacks."""

    def test_deploy_returns_the_live_deployment(self, rig: Rig) -> None:
        """The returned deployment is the one that users see, and its fields are set."""
        self.needs(rig, "deploy")
        deployment = rig.deploy_sample()
        assert deployment.target == rig.caller.target.name
        assert deployment.id == rig.get_live().id, "another deployment is live"
        assert deployment.url, "there is no url"
        assert deployment.environment == "production"
        assert deployment.state == "ready", "the deploy waited, and the state is not ready"
        assert deployment.created.tzinfo is not None, "created has no time zone"
        assert deployment.live, "users see it, and live is False"

    def test_every_file_is_deployed_unchanged(self, rig: Rig) -> None:
        """Every file of the bundle is live, duplicates and empty files too, and no other file."""
        self.needs(rig, "deploy")
        bundle = rig.bundle()
        rig.deploy(bundle)
        expected, live = self.expected(bundle), dict(rig.get_live().files)
        assert sorted(expected) == sorted(set(live) - ({MANIFEST} - set(expected))), "other files"
        differing = [path for path in expected if live[path] != expected[path]]
        assert not differing, "these files differ"

    def test_environment_variables_are_deployed(self, rig: Rig) -> None:
        """The app runs with the variables of the latest request."""
        self.needs(rig, "deploy")
        if not rig.caller.target.stores_env:
            pytest.skip("the platform stores no variables")
        bundle = rig.bundle()
        for values in (rig.env, {**rig.env, "GREETING": "another"}):
            rig.deploy(bundle, env=values)
            live = rig.get_live().env
            assert {name: live.get(name) for name in values} == values

    def test_deploying_needs_only_the_bundle(self, rig: Rig) -> None:
        """A copy of the bundle deploys without the build and from any directory."""
        self.needs(rig, "deploy")
        build = rig.build()
        original = rig.bundle(build=build)
        bundle = rig.copy_bundle(original)
        shutil.rmtree(build.directory)
        shutil.rmtree(original.directory)
        environment = IsolatedEnvironment(rig.root / "isolated")
        os.chdir(rig.root)
        with isolate(environment):
            rig.deploy(bundle)
        assert self.is_whole(rig.get_live(), bundle, {})
        assert bundle == rig.caller.load(bundle.directory), "deploying changed the bundle"

    def test_an_unchanged_bundle_is_not_sent_again(self, rig: Rig) -> None:
        """Files that the platform has are not sent again."""
        self.needs(rig, "deploy", "incremental")
        bundle = rig.bundle()
        first = self._count_bytes(rig, bundle)
        again = self._count_bytes(rig, rig.copy_bundle(bundle))
        assert again <= first * _MAX_RESENT, f"{again} bytes were sent again, {first} at first"

    def test_a_change_sends_only_the_change(self, rig: Rig) -> None:
        """After a change of one file, that file is sent, not the whole app."""
        self.needs(rig, "deploy", "incremental")
        first = self._count_bytes(rig, rig.bundle())
        bundle = rig.bundle("another")
        size = self._count_bytes(rig, bundle)
        assert size <= first * _MAX_RESENT, f"{size} bytes were sent for one small file"
        assert self.is_whole(rig.get_live(), bundle, {}), "the change is not live"

    def test_a_preview_does_not_change_production(self, rig: Rig) -> None:
        """A preview is live as a preview, and production stays as it was."""
        self.needs(rig, "deploy", "previews")
        if not rig.caller.target.previews:
            pytest.skip("the target has no previews")
        bundle, other = rig.bundle(), rig.bundle("preview")
        rig.deploy(bundle)
        before = rig.get_live()
        env = {name: f"{value}-in-preview" for name, value in rig.env.items()}
        deployment = rig.deploy(other, "preview", env=env)
        assert deployment.environment == "preview"
        assert rig.get_live() == before, "production changed"
        stored = env if rig.caller.target.stores_env else {}
        assert self.is_whole(rig.get_live("preview"), other, stored), (
            "it is not the preview, or not its variables"
        )
        rig.deploy(bundle, env={})
        assert rig.get_live().env == before.env, "production got the preview's variables"

    def _count_bytes(self, rig: Rig, bundle: Bundle) -> int:
        """Deploy, and return the bytes of all requests that change something."""
        with rig.record_requests() as requests:
            rig.deploy(bundle)
        return sum(len(exchange.body) for exchange in requests if not self.reads(exchange))
