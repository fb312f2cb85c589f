"""Promote, roll back, canary, and what `deployments` says about them."""

import dataclasses

import pytest

from mastra_core import Secret
from mastra_core.errors import ApiError, DeployError
from mastra_deployer.testing.fault_injection import LOST, RESET
from tests.cloudflare.suite import CloudflareFixtures


class TestPromotion(CloudflareFixtures):
    def test_only_version_is_no_canary(self, harness):
        first = harness.deploy_sample()
        with pytest.raises(DeployError, match="already receives all of the traffic") as raised:
            harness.call("canary", first.id, 10, harness.recorder)
        assert "--no-promote" in raised.value.hint

    def test_live_version_stays_live_beside_a_large_canary(self, harness):
        """A failed deploy is rolled back to the live version, not to the canary."""
        first, second = (harness.deploy_sample(change) for change in "ab")
        harness.call("rollback", first.id, harness.recorder)
        harness.call("canary", second.id, 75, harness.recorder)
        listed = harness.call("deployments", 10)
        assert [(item.id, item.live) for item in listed] == [(second.id, False), (first.id, True)]

    @pytest.mark.parametrize("percent", [0, 20])
    def test_second_canary_is_refused(self, harness, platform, percent):
        live = harness.deploy_sample()
        canary, other = (
            harness.deploy_without_promotion(harness.bundle(change), promote=False)
            for change in "ab"
        )
        harness.call("canary", canary.id, 10, harness.recorder)
        with pytest.raises(DeployError, match=f"{canary.id}, already receives") as raised:
            harness.call("canary", other.id, percent, harness.recorder)
        assert f"mastra canary {canary.id} --percent 0" in raised.value.hint
        assert platform.get_traffic() == {live.id: 90, canary.id: 10}

    @pytest.mark.parametrize("percent", [0, 20])
    def test_live_version_is_no_canary_beside_a_canary(self, harness, platform, percent):
        live = harness.deploy_sample()
        canary = harness.deploy_without_promotion(harness.bundle("new"), promote=False)
        harness.call("canary", canary.id, 10, harness.recorder)
        with pytest.raises(DeployError, match=f"{canary.id}, already receives"):
            harness.call("canary", live.id, percent, harness.recorder)
        assert platform.get_traffic() == {live.id: 90, canary.id: 10}

    def test_canary_of_a_draft(self, harness, platform):
        live = harness.deploy_sample()
        draft = harness.deploy_without_promotion(harness.bundle("new"), promote=False)
        harness.call("canary", draft.id, 10, harness.recorder)
        assert platform.get_traffic() == {live.id: 90, draft.id: 10}
        assert harness.call("rollback", "", harness.recorder).id == live.id
        assert platform.get_traffic() == {live.id: 100}

    def test_promotion_to_an_address_of_another_worker_moves_no_traffic(self, harness, platform):
        live = harness.deploy_sample()
        draft = harness.deploy_without_promotion(harness.bundle("new"), promote=False)
        route = {"pattern": "blog.example.com/*", "script": "blog"}
        platform.platform.zones[0].routes = {"1": route}
        platform.settings = {"routes": ["blog.example.com/*"]}
        with pytest.raises(DeployError, match="belongs to the Worker 'blog'"):
            harness.call("promote", draft.id, harness.recorder)
        assert platform.get_traffic() == {live.id: 100}

    def test_rollback_over_changed_secrets_says_so(self, harness, platform):
        first = harness.deploy(harness.bundle("a"), env={"GREETING": "old"})
        harness.deploy(harness.bundle("b"), env={"GREETING": "new"})
        harness.call("rollback", "", harness.recorder)
        assert harness.get_live().id == first.id
        assert harness.get_live().env == {"GREETING": "old"}
        output = "\n".join(harness.recorder.lines)
        assert f"secrets have changed since version {first.id[:8]} was live" in output

    def test_rollback_keeps_addresses(self, harness, platform):
        harness.deploy_sample("a")
        harness.deploy_sample("b")
        platform.worker.crons = ["0 1 * * *"]
        platform.requests.clear()
        harness.call("rollback", "", harness.recorder)
        assert [item.method for item in platform.list_changes()] == ["POST"]
        assert platform.worker.crons == ["0 1 * * *"]

    def test_lost_response_to_a_deployment_is_looked_up(self, harness, platform):
        first = harness.deploy_sample("a")
        harness.deploy_sample("b")
        matches = []

        def lose(exchange):
            if exchange.method == "POST" and exchange.path.endswith("/deployments") and not matches:
                matches.append(exchange)
                return LOST
            return None

        before = len(platform.worker.deployments)
        with harness.proxy.apply_rule(lose):
            assert harness.call("promote", first.id, harness.recorder).live
        assert matches
        assert len(platform.worker.deployments) == before + 1

    def test_deployment_of_another_command_is_not_taken_for_a_lost_one(self, harness, platform):
        first, second = harness.deploy_sample("a"), harness.deploy_sample("b")
        matches = []

        def interfere(exchange):
            if exchange.method == "POST" and exchange.path.endswith("/deployments") and not matches:
                matches.append(exchange)
                platform.platform.deploy(platform.worker, {second.id: 100}, {})
                return RESET
            return None

        with (
            harness.proxy.apply_rule(interfere),
            pytest.raises(ApiError, match="cannot be reached"),
        ):
            harness.call("promote", first.id, harness.recorder)
        assert harness.get_live().id == second.id

    @pytest.mark.parametrize("id", ["unknown", "", "0" * 8])
    def test_unknown_version(self, harness, id):
        harness.deploy_sample()
        with pytest.raises(DeployError, match=r"no version|no deployment|earlier"):
            harness.call("rollback", id, harness.recorder)

    def test_version_is_found_by_the_start_of_its_id(self, harness):
        first = harness.deploy_sample("a")
        harness.deploy_sample("b")
        assert harness.call("promote", first.id[:8], harness.recorder).id == first.id

    @pytest.mark.parametrize("verb", ["promote", "rollback"])
    def test_missing_worker(self, harness, verb):
        with pytest.raises(DeployError, match="no Worker 'shop'") as raised:
            harness.call(verb, "some-id-of-a-version", harness.recorder)
        assert "Deploy first" in raised.value.hint


class TestSecrets(CloudflareFixtures):
    def test_change_is_live_at_once(self, harness):
        harness.deploy_sample()
        store = harness.call("env", "production")
        with harness.observe_call():
            effect = store.set({"ADDED": Secret("text")})
        assert effect == "now"
        assert harness.get_live().env == {**harness.env, "ADDED": "text"}

    def test_many_secrets_are_sent_in_parts(self, harness, platform):
        harness.deploy_sample()
        values = {f"NAME_{number}": Secret("x") for number in range(150)}
        with harness.observe_call():
            harness.call("env", "production").set(values)
        assert len(platform.find_requests("PATCH", "/secrets-bulk")) == 2
        assert set(values) <= set(harness.get_live().env)

    def test_secrets_before_the_first_deploy(self, harness):
        store = harness.call("env", "production")
        with harness.observe_call():
            assert dict(store.list()) == {}
            with pytest.raises(DeployError, match="'shop' is not deployed to production") as raised:
                store.set({"ADDED": Secret("text")})
        assert "Deploy first" in raised.value.hint

    def test_secrets_of_a_preview_are_not_listed(self, harness):
        harness.deploy_sample()
        harness.deploy(harness.bundle("p"), "preview", env={"ONLY": "preview"})
        store = harness.call("env", "production")
        with harness.observe_call():
            assert set(store.list()) == set(harness.env)

    def test_change_beside_a_newer_version_that_is_not_live(self, harness, platform):
        """Cloudflare changes the secrets of the newest version only, and only if it is live."""
        harness.deploy_sample()
        harness.deploy(harness.bundle("p"), "preview", env={"GREETING": "preview"})
        before, store = harness.get_live(), harness.call("env", "production")
        changes = (lambda: store.set({"ADDED": Secret("text")}), lambda: store.unset(["FAREWELL"]))
        for change in changes:
            with harness.observe_call(), pytest.raises(DeployError, match="not deployed") as raised:
                change()
            assert "Deploy to production with the values" in raised.value.hint
        assert harness.get_live() == before
        harness.deploy_sample("next")
        with harness.observe_call():
            assert store.set({"ADDED": Secret("text")}) == "now"


class TestDestroy(CloudflareFixtures):
    def test_resources_are_kept_and_listed(self, harness, platform):
        zone = platform.platform.zones[0]
        zone.routes["1"] = {"pattern": "blog.example.com/*", "script": "blog"}
        platform.settings = {
            "kv": {"CACHE": "shop-cache"},
            "d1": {"DB": "shop"},
            "routes": ["shop.example.com/*"],
            "custom_domains": ["www.example.com"],
        }
        harness.deploy_sample()
        platform.platform.domains["blog"] = {"hostname": "blog.example.com", "service": "blog"}
        platform.platform.lists_all_domains = True
        assert harness.call("destroy", harness.recorder) is True
        assert platform.worker is None
        assert platform.platform.storage["kv"]
        assert platform.platform.storage["d1"]
        assert [item["service"] for item in platform.platform.domains.values()] == ["blog"]
        assert [item["script"] for item in zone.routes.values()] == ["blog"]
        output = "\n".join(harness.recorder.lines)
        assert "KV namespace shop-cache, D1 database shop" in output

    @pytest.mark.parametrize("is_moved", [False, True])
    def test_a_zone_that_is_gone_needs_no_deletion(self, harness, platform, is_moved):
        platform.settings = {"routes": ["shop.example.com/*"]}
        harness.deploy_sample()
        zone = platform.platform.zones.pop(0)
        if is_moved:
            platform.platform.zones.append(dataclasses.replace(zone, account="f" * 32))
        assert harness.call("destroy", harness.recorder) is True
        assert platform.worker is None
        output = "\n".join(harness.recorder.lines)
        assert "The account has no zone for 'shop.example.com'" in output
