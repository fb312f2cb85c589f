"""Tests of promote, rollback, canary, variables and destroy."""
# ruff: noqa: S101  # tests assert

from __future__ import annotations

import pytest

from mastra_core.errors import DeployError
from mastra_core.secret import Secret
from mastra_deployer.testing.fixtures import SuiteFixtures
from mastra_deployer.testing.harness import Rig

__all__ = ("ManagementTests",)

_PROMOTION_BYTES = 20_000  # that the requests of a promotion may have


class ManagementTests(SuiteFixtures):
    """The hooks that manage existing deployments do what their names say."""

    def test_promote_makes_a_deployment_live(self, rig: Rig) -> None:
        """Users see a promoted older deployment, complete, and its files are not sent again."""
        self.needs(rig, "promote")
        old, new = rig.bundle(), rig.bundle("new")
        first = rig.deploy(old)
        rig.deploy(new)
        for _ in range(2):  # promoting the live deployment changes nothing
            with rig.record_requests() as requests:
                deployment = rig.call("promote", first.id, rig.recorder)
            assert deployment.id == first.id
            assert deployment.live, "users see it, and live is False"
            assert self.is_whole(rig.get_live(), old, {}), "it is not what users see"
            assert sum(len(item.body) for item in requests) < _PROMOTION_BYTES, "it was sent again"

    def test_promoting_an_unknown_deployment_raises(self, rig: Rig) -> None:
        """An unknown id raises DeployError, and the live deployment stays."""
        self.needs(rig, "promote")
        rig.deploy_sample()
        before = rig.get_live()
        with pytest.raises(DeployError):
            rig.call("promote", "no-such-deployment", rig.recorder)
        assert rig.get_live() == before

    def test_rollback_restores_the_previous_deployment(self, rig: Rig) -> None:
        """Rollback without an id restores the deployment that was live before; with one, that."""
        self.needs(rig, "rollback")
        bundles = [rig.bundle(change) for change in "abc"]
        first, second, third = (rig.deploy(bundle).id for bundle in bundles)
        for argument, expected in (("", second), (first, first), ("", second), (third, third)):
            deployment = rig.call("rollback", argument, rig.recorder)
            message = f"rollback {argument or 'without an id'}"
            assert deployment.id == expected == rig.get_live().id, message
        assert self.is_whole(rig.get_live(), bundles[2], {})

    def test_rollback_without_a_previous_deployment_raises(self, rig: Rig) -> None:
        """Where nothing was live before, rollback raises DeployError."""
        self.needs(rig, "rollback")
        rig.deploy_sample()
        before = rig.get_live()
        with pytest.raises(DeployError):
            rig.call("rollback", "", rig.recorder)
        assert rig.get_live() == before

    def test_a_canary_gets_its_share(self, rig: Rig) -> None:
        """A canary has the requested share; 0 removes it, 100 makes it live."""
        self.needs(rig, "canary", "canary")
        first, second = rig.deploy_sample("a").id, rig.deploy_sample("b").id
        for percent, shares in ((25, {first: 25, second: 75}), (0, {second: 100})):
            rig.call("canary", first, percent, rig.recorder)
            traffic = {name: share for name, share in rig.platform.traffic().items() if share}
            assert traffic == shares, f"at {percent} percent"
            assert rig.get_live().id == second
        rig.call("canary", first, 100, rig.recorder)
        assert rig.get_live().id == first, "at 100 percent it is not the live one"

    def test_variables_survive_a_deploy(self, rig: Rig) -> None:
        """Variables are set, replaced and removed; a deploy keeps those that it does not set."""
        self.needs(rig, "env")
        self.needs(rig, "deploy")
        rig.deploy_sample()
        store, value = rig.call("env", "production"), rig.env["GREETING"]
        with rig.observe_call():
            store.set({"KEPT": Secret("old"), "GONE": Secret("old")})
            store.set({"KEPT": Secret(f"new-{value}")})
            store.unset(["GONE", "NEVER_THERE"])
            names = set(store.list())
        assert "KEPT" in names
        assert not names & {"GONE", "NEVER_THERE"}, "it was removed and is listed"
        rig.deploy_sample("later")
        live = rig.get_live().env
        assert live.get("KEPT") == f"new-{value}", "the deploy lost a variable"
        assert "GONE" not in live

    def test_variables_are_listed_without_values(self, rig: Rig) -> None:
        """The list has names and stages, and no values."""
        self.needs(rig, "env")
        self.needs(rig, "deploy")
        rig.deploy_sample()
        with rig.observe_call():
            store = rig.call("env", "production")
            store.set({"LISTED": Secret(rig.env["GREETING"])})
            listed = dict(store.list())
        assert "LISTED" in listed
        assert not [value for value in rig.env.values() if value in repr(listed)]

    def test_destroy_removes_everything(self, rig: Rig) -> None:
        """Nothing of the app remains, and the result is whether there was an app."""
        self.needs(rig, "destroy")
        self.needs(rig, "deploy")
        assert rig.call("destroy", rig.recorder) is False, "there was no app"
        rig.deploy_sample()
        assert rig.call("destroy", rig.recorder) is True, "there was an app"
        assert not list(rig.platform.things()), "these resources remain"
        assert rig.platform.live("production") is None
        rig.deploy_sample()
        assert rig.platform.live("production") is not None, "the app cannot be deployed again"
