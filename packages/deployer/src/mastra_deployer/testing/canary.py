"""Tests of canaries, which are deployments with a share of the traffic."""
# ruff: noqa: S101  # tests assert

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from mastra_core.errors import DeployError
from mastra_deployer.testing.fixtures import SuiteFixtures
from mastra_deployer.testing.harness import Harness

__all__ = ("CanaryTests",)

_SHARE = 25  # percent


class CanaryTests(SuiteFixtures):
    """A canary gets its share of the traffic, until another deployment gets all traffic."""

    def test_a_canary_gets_its_share(self, harness: Harness) -> None:
        """A canary has the requested share; 0 removes the share, and 100 makes the canary live."""
        self.require(harness, "canary", "canary")
        first, second = harness.deploy_sample("a").id, harness.deploy_sample("b").id
        for percent, shares in ((25, {first: 25, second: 75}), (0, {second: 100})):
            canary = harness.call("canary", first, percent, harness.recorder)
            expected = (percent or None, False)
            assert (canary.percent, canary.live) == expected, f"its result at {percent} percent"
            assert _get_traffic(harness) == shares, f"at {percent} percent"
            assert harness.get_live().id == second
            if harness.caller.has_hook("deployments"):
                assert _list_live(harness) == [second], f"live deployments at {percent} percent"
                listed = _list_percents(harness)
                assert listed == (shares if percent else {}), f"the list at {percent} percent"
        harness.call("canary", first, 100, harness.recorder)
        assert harness.get_live().id == first, "at 100 percent it is not the live one"

    def test_the_live_deployment_is_no_canary(self, harness: Harness) -> None:
        """A canary of the live deployment raises DeployError, and changes nothing."""
        self.require(harness, "canary", "canary")
        harness.deploy_sample("a")
        live = harness.deploy_sample("b").id
        for percent in (0, _SHARE):
            with pytest.raises(DeployError):
                harness.call("canary", live, percent, harness.recorder)
            assert _get_traffic(harness) == {live: 100}, f"at {percent} percent"

    def test_promoting_a_canary_ends_its_share(self, harness: Harness) -> None:
        """A promoted canary gets all traffic, and the other deployments get none."""
        self.require(harness, "canary", "canary")
        self.require(harness, "promote")
        first, second = harness.deploy_sample("a").id, harness.deploy_sample("b").id
        harness.call("canary", first, _SHARE, harness.recorder)
        harness.call("promote", first, harness.recorder)
        assert _get_traffic(harness) == {first: 100}, f"{second} or a share remains"
        assert harness.get_live().id == first

    def test_a_rollback_without_an_id_ends_only_the_canary(self, harness: Harness) -> None:
        """A rollback without an id ends the canary, and the live deployment gets all traffic."""
        self.require(harness, "canary", "canary")
        self.require(harness, "rollback")
        first, second = harness.deploy_sample("a").id, harness.deploy_sample("b").id
        harness.call("canary", first, _SHARE, harness.recorder)
        target = harness.call("rollback", "", harness.recorder)
        assert target.id == second, "the live deployment stays live"
        assert _get_traffic(harness) == {second: 100}

    def test_no_share_remains_beside_another_deployment(self, harness: Harness) -> None:
        """Deploy, promote and rollback end the canary, or raise DeployError and change nothing."""
        self.require(harness, "canary", "canary")
        changes: dict[str, Callable[[], str]] = {
            "promote": lambda: str(harness.call("promote", live, harness.recorder).id),
            "rollback": lambda: str(harness.call("rollback", oldest, harness.recorder).id),
            "deploy": lambda: harness.deploy_sample("newest").id,
        }
        oldest, canary, live = (harness.deploy_sample(change).id for change in "abc")
        for verb, change in changes.items():
            if not harness.caller.has_hook(verb):
                continue
            harness.call("canary", canary, _SHARE, harness.recorder)
            before = _get_traffic(harness)
            try:
                expected = {change(): 100}
            except DeployError:
                expected = dict(before)
            assert _get_traffic(harness) == expected, f"after {verb} beside a canary"
            harness.call("canary", canary, 0, harness.recorder)


def _get_traffic(harness: Harness) -> Mapping[str, int]:
    """Return the percentage of production's traffic for each deployment that gets any."""
    return {name: share for name, share in harness.platform.get_traffic().items() if share}


def _list_percents(harness: Harness) -> Mapping[str, int]:
    """Return the percentage of the traffic for each listed deployment that has one."""
    listed = harness.call("deployments", 10)
    return {item.id: item.percent for item in listed if item.percent is not None}


def _list_live(harness: Harness) -> list[str]:
    """Return the ids of the live deployments in production."""
    listed = harness.call("deployments", 10)
    return [item.id for item in listed if item.live and item.environment == "production"]
