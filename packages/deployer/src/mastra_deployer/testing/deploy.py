"""Promises on deploys that nothing disturbs."""
# ruff: noqa: S101  # a promise is an assertion

from __future__ import annotations

import os
import shutil

import pytest

from mastra_core.pipeline import MANIFEST, Bundle
from mastra_deployer.testing.fixtures import Promises
from mastra_deployer.testing.harness import Rig
from mastra_deployer.testing.isolated_env import Place, elsewhere

__all__ = ("Deploying",)

_LITTLE = 0.1  # share of the first deploy's bytes that a later one may send


class Deploying(Promises):
    """A bundle becomes a deployment."""

    def test_a_deploy_is_live_and_says_where(self, rig: Rig) -> None:
        """The deployment that comes back is the one users see, with its facts."""
        self.needs(rig, "deploy")
        made = rig.deployed()
        assert made.target == rig.line.target.name
        assert made.id == rig.live().id, "another deployment is live"
        assert made.url, "there is no url"
        assert made.environment == "production"
        assert made.state == "ready", "it was waited for, so it is ready"
        assert made.created.tzinfo is not None, "created has no time zone"
        assert made.live, "users see it, and live is False"

    def test_every_file_arrives_byte_for_byte(self, rig: Rig) -> None:
        """What is live is the bundle: every file, twins and empty ones, and nothing else."""
        self.needs(rig, "deploy")
        bundle = rig.bundle()
        rig.deploy(bundle)
        wanted, live = self.expected(bundle), dict(rig.live().files)
        assert sorted(wanted) == sorted(set(live) - ({MANIFEST} - set(wanted))), "other files"
        differing = [path for path in wanted if live[path] != wanted[path]]
        assert not differing, "these files differ"

    def test_the_environment_arrives(self, rig: Rig) -> None:
        """The app runs with the values of the request, and with new ones after the next."""
        self.needs(rig, "deploy")
        if not rig.line.target.stores_env:
            pytest.skip("the platform keeps no variables")
        bundle = rig.bundle()
        for values in (rig.env, {**rig.env, "GREETING": "another"}):
            rig.deploy(bundle, env=values)
            live = rig.live().env
            assert {name: live.get(name) for name in values} == values

    def test_deploying_needs_the_bundle_alone(self, rig: Rig) -> None:
        """A copy of the bundle deploys anywhere: without the build, from another directory."""
        self.needs(rig, "deploy")
        build = rig.build()
        made = rig.bundle(build=build)
        bundle = rig.copy(made)
        shutil.rmtree(build.directory)
        shutil.rmtree(made.directory)
        place = Place(rig.scratch / "place")
        os.chdir(rig.scratch)
        with elsewhere(place):
            rig.deploy(bundle)
        assert self.is_whole(rig.live(), bundle, {})
        assert bundle == rig.line.load(bundle.directory), "deploying changed the bundle"

    def test_an_unchanged_deploy_sends_next_to_nothing(self, rig: Rig) -> None:
        """What the platform has is not sent again."""
        self.needs(rig, "deploy", "incremental")
        bundle = rig.bundle()
        first = self._sent(rig, bundle)
        again = self._sent(rig, rig.copy(bundle))
        assert again <= first * _LITTLE, f"{again} bytes were sent again, {first} at first"

    def test_a_change_sends_only_the_change(self, rig: Rig) -> None:
        """One changed file costs that file, not the app."""
        self.needs(rig, "deploy", "incremental")
        first = self._sent(rig, rig.bundle())
        changed = rig.bundle("another")
        sent = self._sent(rig, changed)
        assert sent <= first * _LITTLE, f"{sent} bytes were sent for one small file"
        assert self.is_whole(rig.live(), changed, {}), "what is live is not the change"

    def test_a_preview_leaves_production_alone(self, rig: Rig) -> None:
        """A preview is seen as a preview; who looks at production sees what was there."""
        self.needs(rig, "deploy", "previews")
        if not rig.line.target.previews:
            pytest.skip("the target has no previews")
        bundle, other = rig.bundle(), rig.bundle("preview")
        rig.deploy(bundle)
        before = rig.live()
        env = {name: f"{value}-in-preview" for name, value in rig.env.items()}
        made = rig.deploy(other, "preview", env=env)
        assert made.environment == "preview"
        assert rig.live() == before, "production changed"
        given = env if rig.line.target.stores_env else {}
        assert self.is_whole(rig.live("preview"), other, given), (
            "it is not the preview, or not its variables"
        )
        rig.deploy(bundle, env={})
        assert rig.live().env == before.env, "production got the preview's variables"

    def _sent(self, rig: Rig, bundle: Bundle) -> int:
        """Bytes of all requests of a deploy that change something."""
        with rig.recorded() as seen:
            rig.deploy(bundle)
        return sum(len(exchange.body) for exchange in seen if not self.reads(exchange))
