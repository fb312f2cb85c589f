"""Promises on what comes after a deploy."""
# ruff: noqa: S101  # a promise is an assertion

from __future__ import annotations

import pytest

from mastra_core.errors import DeployError
from mastra_core.secret import Secret
from mastra_deployer.testing.fixtures import Promises
from mastra_deployer.testing.harness import Rig

__all__ = ("Verbs",)

_WORDY = 20_000  # bytes that a promotion may say


class Verbs(Promises):
    """Promote, roll back, share, set, remove."""

    def test_promote_makes_a_deployment_live(self, rig: Rig) -> None:
        """Promoted, an older deployment is what users see, whole, and nothing is sent for it."""
        self.needs(rig, "promote")
        old, new = rig.bundle(), rig.bundle("new")
        first = rig.deploy(old)
        rig.deploy(new)
        for _ in range(2):  # promoting what is live changes nothing
            with rig.recorded() as seen:
                made = rig.call("promote", first.id, rig.shown)
            assert made.id == first.id
            assert made.live, "users see it, and live is False"
            assert self.is_whole(rig.live(), old, {}), "it is not what users see"
            assert sum(len(item.body) for item in seen) < _WORDY, "it was sent again"

    def test_promoting_what_is_not_there_is_an_error(self, rig: Rig) -> None:
        """An id that the platform does not know is a DeployError; users see what they saw."""
        self.needs(rig, "promote")
        rig.deployed()
        before = rig.live()
        with pytest.raises(DeployError):
            rig.call("promote", "no-such-deployment", rig.shown)
        assert rig.live() == before

    def test_rollback_goes_to_what_was_live_before(self, rig: Rig) -> None:
        """Without an id, the one that users saw before; with one, that one."""
        self.needs(rig, "rollback")
        bundles = [rig.bundle(change) for change in "abc"]
        first, second, third = (rig.deploy(bundle).id for bundle in bundles)
        for wanted, seen in (("", second), (first, first), ("", second), (third, third)):
            made = rig.call("rollback", wanted, rig.shown)
            assert made.id == seen == rig.live().id, f"rollback {wanted or 'without an id'}"
        assert self.is_whole(rig.live(), bundles[2], {})

    def test_rolling_back_to_nothing_is_an_error(self, rig: Rig) -> None:
        """Where nothing was live before, rollback is a DeployError."""
        self.needs(rig, "rollback")
        rig.deployed()
        before = rig.live()
        with pytest.raises(DeployError):
            rig.call("rollback", "", rig.shown)
        assert rig.live() == before

    def test_a_canary_gets_its_share(self, rig: Rig) -> None:
        """The share is what was asked for; 0 takes it away, 100 makes it the live one."""
        self.needs(rig, "canary", "canary")
        first, second = rig.deployed("a").id, rig.deployed("b").id
        for percent, shares in ((25, {first: 25, second: 75}), (0, {second: 100})):
            rig.call("canary", first, percent, rig.shown)
            traffic = {name: share for name, share in rig.platform.traffic().items() if share}
            assert traffic == shares, f"at {percent} percent"
            assert rig.live().id == second
        rig.call("canary", first, 100, rig.shown)
        assert rig.live().id == first, "at 100 percent it is not the live one"

    def test_variables_are_kept(self, rig: Rig) -> None:
        """Set, replaced and removed; a deploy leaves those alone that it has no value for."""
        self.needs(rig, "env")
        self.needs(rig, "deploy")
        rig.deployed()
        store, value = rig.call("env", "production"), rig.env["GREETING"]
        with rig.watched():
            store.set({"KEPT": Secret("old"), "GONE": Secret("old")})
            store.set({"KEPT": Secret(f"new-{value}")})
            store.unset(["GONE", "NEVER_THERE"])
            names = set(store.list())
        assert "KEPT" in names
        assert not names & {"GONE", "NEVER_THERE"}, "it was removed and is there"
        rig.deployed("later")
        live = rig.live().env
        assert live.get("KEPT") == f"new-{value}", "the deploy lost what was set"
        assert "GONE" not in live

    def test_variables_are_listed_without_values(self, rig: Rig) -> None:
        """The list has names and where they apply, and no value."""
        self.needs(rig, "env")
        self.needs(rig, "deploy")
        rig.deployed()
        with rig.watched():
            store = rig.call("env", "production")
            store.set({"LISTED": Secret(rig.env["GREETING"])})
            listed = dict(store.list())
        assert "LISTED" in listed
        assert not [value for value in rig.env.values() if value in repr(listed)]

    def test_destroy_removes_everything(self, rig: Rig) -> None:
        """Nothing of the app is left, and the answer says whether there was one."""
        self.needs(rig, "destroy")
        self.needs(rig, "deploy")
        assert rig.call("destroy", rig.shown) is False, "there was no app"
        rig.deployed()
        assert rig.call("destroy", rig.shown) is True, "there was an app"
        assert not list(rig.platform.things()), "this is left"
        assert rig.platform.live("production") is None
        rig.deployed()
        assert rig.platform.live("production") is not None, "what was destroyed cannot come back"
