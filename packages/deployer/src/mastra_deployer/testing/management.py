"""Tests of promote, rollback, variables and destroy."""
# ruff: noqa: S101  # tests assert

from __future__ import annotations

from collections.abc import Sequence

import pytest

from mastra_core.errors import ConfigError, DeployError
from mastra_core.pipeline import Deployment
from mastra_core.secret import Secret
from mastra_deployer.testing.fault_injection import LOST, Exchange, Fault
from mastra_deployer.testing.fixtures import SuiteFixtures
from mastra_deployer.testing.harness import Harness

__all__ = ("ManagementTests",)

_PROMOTION_BYTES = 20_000  # largest size of all requests of a promotion


class ManagementTests(SuiteFixtures):
    """Test the hooks that change an existing app or its deployments."""

    def test_promote_makes_a_deployment_live(self, harness: Harness) -> None:
        """Promoting an older deployment makes all its files live, and uploads no file."""
        self.require(harness, "promote")
        old, new = harness.bundle(), harness.bundle("new")
        first = harness.deploy(old)
        harness.deploy(new)
        for _ in range(2):  # promoting the live deployment changes nothing
            with harness.record_requests() as requests:
                deployment = harness.call("promote", first.id, harness.recorder)
            assert deployment.id == first.id
            assert deployment.live, "users see it, and live is False"
            assert self.is_complete(harness.get_live(), old, {}), "it is not what users see"
            assert sum(len(item.body) for item in requests) < _PROMOTION_BYTES, "it was sent again"

    def test_promoting_an_unknown_deployment_raises(self, harness: Harness) -> None:
        """An unknown id raises DeployError, and the live deployment does not change."""
        self.require(harness, "promote")
        harness.deploy_sample()
        self._refuse_ids(harness, "promote", ["no-such-deployment"])

    def test_a_missing_app_has_no_deployment_to_activate(self, harness: Harness) -> None:
        """Before the first deploy, promote, rollback and canary raise DeployError."""
        calls = (("promote", "x"), ("rollback", ""), ("rollback", "x"), ("canary", "x", 10))
        known = [call for call in calls if harness.caller.has_hook(call[0])]
        if not known:
            pytest.skip("the deployer has no hook that activates a deployment")
        for verb, *arguments in known:
            with self.expect_missing_app(verb):
                harness.call(verb, *arguments, harness.recorder)
        assert not list(harness.platform.list_resources()), "something was created"

    def test_an_id_selects_no_other_path(self, harness: Harness) -> None:
        """An id with the characters of a URL raises DeployError, and changes nothing."""
        verbs = [verb for verb in ("promote", "rollback") if harness.caller.has_hook(verb)]
        if not verbs:
            pytest.skip("the deployer has no hook that takes an id")
        earlier, live = (harness.deploy_sample(change).id for change in "ab")
        ids = [f"x/../{earlier}", f"{earlier}?a=b", f"{earlier}#a", f"../{live}", ".."]
        for verb in verbs:
            self._refuse_ids(harness, verb, ids)

    def test_rollback_restores_the_previous_deployment(self, harness: Harness) -> None:
        """A rollback makes the given deployment live, or without an id, the previous deployment."""
        self.require(harness, "rollback")
        bundles = [harness.bundle(change) for change in "abc"]
        first, second, third = (harness.deploy(bundle).id for bundle in bundles)
        for argument, expected in (("", second), (first, first), ("", second), (third, third)):
            deployment = harness.call("rollback", argument, harness.recorder)
            message = f"rollback {argument or 'without an id'}"
            assert deployment.id == expected == harness.get_live().id, message
        assert self.is_complete(harness.get_live(), bundles[2], {})

    def test_rollback_without_a_previous_deployment_raises(self, harness: Harness) -> None:
        """If nothing was live before, a rollback raises DeployError."""
        self.require(harness, "rollback")
        harness.deploy_sample()
        before = harness.get_live()
        with pytest.raises(DeployError):
            harness.call("rollback", "", harness.recorder)
        assert harness.get_live() == before

    def test_a_rollback_to_a_draft_raises(self, harness: Harness) -> None:
        """A rollback to a draft raises DeployError, unless the draft was promoted before."""
        self.require(harness, "rollback")
        self.require(harness, "promote")
        harness.deploy_sample()
        bundle = harness.bundle("draft")
        try:
            draft = harness.deploy_without_promotion(bundle, promote=False)
        except (ConfigError, DeployError):
            pytest.skip("the deployer makes no drafts")
        self._refuse_ids(harness, "rollback", [draft.id])
        promoted = harness.call("promote", draft.id, harness.recorder)
        harness.call("rollback", "", harness.recorder)
        assert harness.call("rollback", promoted.id, harness.recorder).id == promoted.id
        assert self.is_complete(harness.get_live(), bundle, {}), "the promoted draft is not live"

    def test_a_message_survives_a_rollback(self, harness: Harness) -> None:
        """A deployment keeps the message of its latest deploy, even after other deploys."""
        self.require(harness, "rollback", "messages")
        self.require(harness, "deployments")
        bundle = harness.bundle()
        harness.deploy(bundle, message="the first words")
        first = harness.deploy(bundle, message="the latest words").id
        harness.deploy(harness.bundle("new"), message="other words")
        assert self._get_message(harness, first) == "the latest words", "another deploy changed it"
        harness.call("rollback", first, harness.recorder)
        assert self._get_message(harness, first) == "the latest words", "the rollback changed it"

    def test_variables_survive_a_deploy(self, harness: Harness) -> None:
        """Variables are set, replaced and removed; a deploy keeps those that it does not set."""
        self.require(harness, "env")
        self.require(harness, "deploy")
        harness.deploy_sample()
        store, value = harness.call("env", "production"), harness.env["GREETING"]
        with harness.observe_call():
            store.set({"KEPT": Secret("old"), "GONE": Secret("old")})
            store.set({"KEPT": Secret(f"new-{value}")})
            store.unset(["GONE", "NEVER_THERE"])
            names = set(store.list())
        assert "KEPT" in names
        assert not names & {"GONE", "NEVER_THERE"}, "it was removed and is listed"
        harness.deploy_sample("later")
        live = harness.get_live().env
        assert live.get("KEPT") == f"new-{value}", "the deploy lost a variable"
        assert "GONE" not in live

    def test_variables_are_listed_without_values(self, harness: Harness) -> None:
        """Variables are listed with names and stages, but without values."""
        self.require(harness, "env")
        self.require(harness, "deploy")
        harness.deploy_sample()
        with harness.observe_call():
            store = harness.call("env", "production")
            store.set({"LISTED": Secret(harness.env["GREETING"])})
            listed = dict(store.list())
        assert "LISTED" in listed
        assert not [value for value in harness.env.values() if value in repr(listed)]

    def test_destroy_removes_everything(self, harness: Harness) -> None:
        """No deployment and no preview remains; the hook returns whether there was an app."""
        self.require(harness, "destroy")
        self.require(harness, "deploy")
        assert harness.call("destroy", harness.recorder) is False, "there was no app"
        harness.deploy_sample()
        if harness.caller.target.previews and self.previews:
            harness.deploy_sample("preview", "preview")
        assert harness.call("destroy", harness.recorder) is True, "there was an app"
        assert not list(harness.platform.list_resources()), "these resources remain"
        assert harness.platform.get_live("production") is None
        assert harness.platform.get_live("preview") is None, "the preview is still there"
        harness.deploy_sample()
        assert harness.platform.get_live("production") is not None, (
            "the app cannot be deployed again"
        )

    def test_destroy_survives_a_lost_response(self, harness: Harness) -> None:
        """If the response to a deletion is lost, the app is gone, and the hook returns True."""
        self.require(harness, "destroy")
        self.require(harness, "deploy")
        harness.deploy_sample()
        changes: list[Exchange] = []

        def lose_first_change(exchange: Exchange) -> Fault | None:
            if changes or self.is_read(exchange):
                return None
            changes.append(exchange)
            return LOST

        with harness.proxy.apply_rule(lose_first_change):
            assert harness.call("destroy", harness.recorder) is True, "there was an app"
        assert changes, "nothing was deleted"
        assert not list(harness.platform.list_resources()), "these resources remain"

    @staticmethod
    def _refuse_ids(harness: Harness, verb: str, ids: Sequence[str]) -> None:
        before, created = harness.get_live(), list(harness.platform.list_resources())
        for unknown_id in ids:
            with pytest.raises(DeployError):
                harness.call(verb, unknown_id, harness.recorder)
            after = list(harness.platform.list_resources())
            assert harness.get_live() == before, f"{verb} {unknown_id!r} changed what is live"
            assert after == created, f"{verb} {unknown_id!r} created something"

    @staticmethod
    def _get_message(harness: Harness, id: str) -> str:
        listed: list[Deployment] = harness.call("deployments", 10)
        return next(item.message for item in listed if item.id == id)
