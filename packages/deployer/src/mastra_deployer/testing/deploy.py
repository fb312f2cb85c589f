"""Tests of deploys without faults."""
# ruff: noqa: S101  # tests assert

from __future__ import annotations

import shutil

import pytest

from mastra_core.errors import ConfigError, DeployError
from mastra_core.pipeline import MANIFEST, Bundle
from mastra_deployer.testing.fixtures import SuiteFixtures
from mastra_deployer.testing.harness import Harness
from mastra_deployer.testing.isolated_env import IsolatedEnvironment, isolate

__all__ = ("DeployTests",)

_MAX_RESENT = 0.1  # share of the first deploy's bytes that a later deploy may send


class DeployTests(SuiteFixtures):
    """A deploy makes a bundle live, and sends only files that the platform does not have."""

    def test_deploy_returns_the_live_deployment(self, harness: Harness) -> None:
        """The returned deployment is live for users, and all its fields are set."""
        self.require(harness, "deploy")
        deployment = harness.deploy_sample()
        assert deployment.target == harness.caller.target.name
        assert deployment.id == harness.get_live().id, "another deployment is live"
        assert deployment.url, "there is no url"
        assert deployment.environment == "production"
        assert deployment.state == "ready", "the deploy waited, and the state is not ready"
        assert deployment.created.tzinfo is not None, "created has no time zone"
        assert deployment.live, "users see it, and live is False"

    def test_an_unpublished_deploy_is_not_live(self, harness: Harness) -> None:
        """Without promotion, a deploy returns a draft or fails, and production does not change."""
        self.require(harness, "deploy")
        harness.deploy_sample()
        before, bundle = harness.get_live(), harness.bundle("new")
        try:
            draft = harness.deploy_without_promotion(bundle, promote=False)
        except (ConfigError, DeployError):
            draft = None
        assert harness.get_live() == before, "it is live without a promotion"
        if draft is None:
            return
        assert not draft.live, "it is a draft, and live is true"
        assert draft.draft, "it is a draft, and draft is false"
        if harness.caller.has_hook("deployments"):
            listed = {item.id: item.draft for item in harness.call("deployments", 10)}
            assert listed.pop(draft.id), "it is a draft, and the list does not say so"
            assert not any(listed.values()), "a deployment that was live is listed as a draft"
        if harness.caller.has_hook("promote"):
            harness.call("promote", draft.id, harness.recorder)
            assert self.is_complete(harness.get_live(), bundle, {}), "it is not promoted"

    def test_every_file_is_deployed_unchanged(self, harness: Harness) -> None:
        """Exactly the files of the bundle are live, including duplicates and empty files."""
        self.require(harness, "deploy")
        bundle = harness.bundle()
        harness.deploy(bundle)
        expected, live = self.get_expected_files(bundle), dict(harness.get_live().files)
        assert sorted(expected) == sorted(set(live) - ({MANIFEST} - set(expected))), "other files"
        differing = [path for path in expected if live[path] != expected[path]]
        assert not differing, "these files differ"

    def test_environment_variables_are_deployed(self, harness: Harness) -> None:
        """The app runs with the variables of the latest deploy."""
        self.require(harness, "deploy")
        if not harness.caller.target.stores_env:
            pytest.skip("the platform stores no variables")
        bundle = harness.bundle()
        for values in (harness.env, {**harness.env, "GREETING": "another"}):
            harness.deploy(bundle, env=values)
            live = harness.get_live().env
            assert {name: live.get(name) for name in values} == values

    def test_deploying_needs_only_the_bundle(self, harness: Harness) -> None:
        """A copy of the bundle can be deployed from any directory, without the build."""
        self.require(harness, "deploy")
        build = harness.build()
        original = harness.bundle(build=build)
        bundle = harness.copy_bundle(original)
        shutil.rmtree(build.directory)
        shutil.rmtree(original.directory)
        environment = IsolatedEnvironment(harness.root / "isolated")
        with isolate(environment):
            harness.deploy(bundle)
        assert self.is_complete(harness.get_live(), bundle, {})
        assert bundle == harness.caller.load_bundle(bundle.directory), (
            "deploying changed the bundle"
        )

    def test_an_unchanged_bundle_is_not_sent_again(self, harness: Harness) -> None:
        """Files that the platform already has are not sent again, even in an archive."""
        self.require(harness, "deploy")
        bundle = harness.bundle()
        first = self._count_bytes(harness, bundle)
        again = self._count_bytes(harness, harness.copy_bundle(bundle))
        assert again <= first * _MAX_RESENT, f"{again} bytes were sent again, {first} at first"

    def test_a_change_sends_only_the_change(self, harness: Harness) -> None:
        """After a change of one file, the deploy sends only that file."""
        self.require(harness, "deploy", "incremental")
        first = self._count_bytes(harness, harness.bundle())
        bundle = harness.bundle("another")
        size = self._count_bytes(harness, bundle)
        assert size <= first * _MAX_RESENT, f"{size} bytes were sent for one small file"
        assert self.is_complete(harness.get_live(), bundle, {}), "the change is not live"

    def test_a_preview_does_not_change_production(self, harness: Harness) -> None:
        """After a deploy as a preview, the preview is live, and production has not changed."""
        self.require(harness, "deploy", "previews")
        if not harness.caller.target.previews:
            pytest.skip("the target has no previews")
        bundle, other = harness.bundle(), harness.bundle("preview")
        harness.deploy(bundle)
        before = harness.get_live()
        env = {name: f"{value}-in-preview" for name, value in harness.env.items()}
        deployment = harness.deploy(other, "preview", env=env)
        assert deployment.environment == "preview"
        assert harness.get_live() == before, "production changed"
        stored = env if harness.caller.target.stores_env else {}
        assert self.is_complete(harness.get_live("preview"), other, stored), (
            "it is not the preview, or not its variables"
        )
        harness.deploy(bundle, env={})
        assert harness.get_live().env == before.env, "production got the preview's variables"

    def _count_bytes(self, harness: Harness, bundle: Bundle) -> int:
        """Deploy, and return the number of bytes in all requests that change something."""
        with harness.record_requests() as requests:
            harness.deploy(bundle)
        return sum(len(exchange.body) for exchange in requests if not self.is_read(exchange))
