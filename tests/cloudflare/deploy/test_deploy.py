"""What a deploy sends, in which order, and what it leaves alone."""

import pytest

from mastra_core.errors import DeployError
from mastra_core.pipeline import Git
from mastra_core.secret import Secret
from mastra_deployer.testing.fault_injection import LOST
from tests.cloudflare.suite import CloudflareFixtures

ALL_STORAGE = {
    "kv": {"CACHE": "shop-cache"},
    "d1": {"DB": "shop"},
    "r2": {"FILES": "shop-files"},
    "queues": {"JOBS": "shop-jobs"},
}
UPLOAD = "/versions"


def list_kinds(fake):
    """The changes of a deploy: methods and the ends of paths."""
    return [f"{item.method} {item.path.rpartition('/')[2]}" for item in fake.list_changes()]


class TestDeploy(CloudflareFixtures):
    def test_first_upload_is_live_at_once_and_says_so(self, harness, platform):
        deployment = harness.deploy_without_promotion(harness.bundle())
        assert deployment.live
        assert deployment.url == "https://shop.acme.workers.dev"
        assert "first version is live before its smoke test" in "\n".join(harness.recorder.lines)
        assert list_kinds(platform) == ["PUT shop", "POST subdomain"]
        assert platform.worker.enabled
        assert platform.worker.previews_enabled

    def test_later_version_is_a_draft_until_it_is_promoted(self, harness, platform):
        live = harness.deploy_sample()
        draft = harness.deploy_without_promotion(harness.bundle("new"))
        assert not draft.live
        assert draft.url == f"https://{draft.id[:8]}-shop.acme.workers.dev"
        assert harness.get_live().id == live.id
        promoted = harness.call("promote", draft.id, harness.recorder)
        assert promoted.live
        assert promoted.url == "https://shop.acme.workers.dev"
        assert harness.get_live().id == draft.id

    @pytest.mark.parametrize("flags", [{"wait": False}, {}], ids=["no wait", "not staged"])
    def test_unstaged_version_is_live_at_once(self, harness, platform, flags):
        harness.deploy_sample()
        platform.settings = {} if flags else {"staged": False}
        assert harness.deploy_without_promotion(harness.bundle("new"), **flags).live

    def test_version_without_preview_address_is_live_at_once(self, harness, platform):
        harness.deploy_sample()
        platform.worker.previews_enabled = False
        deployment = harness.deploy_without_promotion(harness.bundle("new"))
        assert deployment.live
        assert "has no preview URLs" in "\n".join(harness.recorder.lines)
        assert not platform.worker.previews_enabled, "the user switched them off"

    def test_unpublished_version_stays_a_draft(self, harness, platform):
        harness.deploy_sample()
        platform.settings = {"staged": False}
        assert not harness.deploy_without_promotion(harness.bundle("new"), promote=False).live

    def test_unpublished_first_version_has_no_address(self, harness, platform):
        platform.settings = {"crons": ["0 5 * * *"]}
        draft = harness.deploy_without_promotion(harness.bundle(), promote=False)
        assert draft.draft and not draft.live
        assert not platform.worker.enabled
        assert not platform.worker.crons
        harness.call("promote", draft.id, harness.recorder)
        assert platform.worker.enabled
        assert platform.worker.crons == ["0 5 * * *"]

    def test_unchanged_app_sends_nothing(self, harness, platform):
        platform.settings = {
            **ALL_STORAGE,
            "routes": ["shop.example.com/*"],
            "crons": ["0 5 * * *"],
        }
        bundle = harness.bundle()
        first = harness.deploy(bundle)
        platform.requests.clear()
        assert harness.deploy(bundle).id == first.id
        assert not platform.list_changes()

    def test_unpublished_deploy_changes_no_address(self, harness, platform):
        """Also where the live version has the same modules, settings and values."""
        bundle = harness.bundle()
        live = harness.deploy(bundle)
        platform.settings = {"routes": ["shop.example.com/*"]}
        request = harness.build_request(promote=False)
        assert harness.call("plan", bundle, request).changes == ()
        platform.requests.clear()
        draft = harness.deploy_without_promotion(bundle, promote=False, message="later")
        assert draft.id == live.id
        assert not platform.list_changes()
        assert harness.call("plan", bundle, harness.build_request()).changes
        harness.deploy(bundle)
        assert platform.platform.zones[0].routes

    def test_new_message_makes_no_new_version(self, harness, platform):
        bundle = harness.bundle()
        first = harness.deploy(bundle, message="one")
        platform.requests.clear()
        assert harness.deploy(bundle, message="two").id == first.id
        assert list_kinds(platform) == ["POST deployments"]

    @pytest.mark.parametrize(
        "change",
        [{"vars": {"LEVEL": "debug"}}, {"cpu_ms": 50}, {"placement": "smart"}, {"ai": "AI"}],
        ids=lambda change: next(iter(change)),
    )
    def test_changed_setting_makes_a_new_version(self, harness, platform, change):
        bundle = harness.bundle()
        first = harness.deploy(bundle)
        platform.settings = change
        assert harness.deploy(bundle).id != first.id

    def test_interrupted_deploy_uses_its_version_again(self, harness, platform):
        harness.deploy_sample()
        bundle = harness.bundle("new")
        draft = harness.deploy_without_promotion(bundle)  # the next run begins here
        platform.requests.clear()
        assert harness.deploy(bundle).id == draft.id
        assert not platform.find_requests("POST", UPLOAD)

    def test_version_of_an_interrupted_deploy_is_not_used_after_a_rollback(self, harness, platform):
        """The secrets that it took over may have changed."""
        first = harness.deploy_sample("a")
        bundle = harness.bundle("c")
        second = harness.deploy(bundle)
        harness.call("rollback", first.id, harness.recorder)
        assert harness.deploy(bundle).id != second.id

    @pytest.mark.parametrize("kind", ["PUT", "POST"], ids=["first upload", "version"])
    def test_lost_response_to_an_upload_makes_no_second_version(self, harness, platform, kind):
        if kind == "POST":
            harness.deploy_sample("old")
        bundle, matches = harness.bundle(), []

        def lose_upload(exchange):
            if exchange.headers.get("content-type", "").startswith("multipart/") and not matches:
                matches.append(exchange)
                return LOST
            return None

        assert harness.deploy_with_faults(bundle, lose_upload) is None
        assert matches
        assert len(platform.find_requests(kind, "/workers/scripts/shop")) <= 3
        assert len(platform.worker.versions) == (1 if kind == "PUT" else 2)
        assert self.is_complete(harness.get_live(), bundle, harness.env)

    def test_version_that_cannot_be_read_yet_is_waited_for(self, harness, platform):
        harness.deploy_sample()
        platform.platform.unreadable_reads = 3
        assert harness.deploy_sample("new").live

    def test_storage_is_created_once_and_bound(self, harness, platform):
        platform.settings = ALL_STORAGE
        harness.deploy_sample("a")
        before = {kind: dict(items) for kind, items in platform.platform.storage.items()}
        harness.deploy_sample("b")
        assert platform.platform.storage == before
        bindings = {item["name"]: item for item in platform.worker.versions[-1].bindings}
        assert bindings["CACHE"]["namespace_id"] == before["kv"]["shop-cache"]
        assert bindings["DB"]["id"] == before["d1"]["shop"]
        assert bindings["FILES"]["bucket_name"] == "shop-files"
        assert bindings["JOBS"]["queue_name"] == "shop-jobs"

    def test_storage_beyond_the_first_page_is_found(self, harness, platform):
        names = {f"cache-{number}": f"{number:032x}" for number in range(120)}
        platform.platform.storage["kv"] = dict(names)
        buckets = {f"bucket-{number}": f"{number:032x}" for number in range(1020)}
        platform.platform.storage["r2"] = dict(buckets)
        platform.settings = {"kv": {"CACHE": "cache-119"}, "r2": {"FILES": "bucket-1019"}}
        harness.deploy_sample()
        assert platform.platform.storage["kv"] == names
        assert platform.platform.storage["r2"] == buckets

    def test_addresses_follow_the_settings_and_others_stay(self, harness, platform):
        zone = platform.platform.zones[0]
        zone.routes = {
            "1": {"pattern": "old.example.com/*", "script": "shop"},
            "2": {"pattern": "blog.example.com/*", "script": "blog"},
        }
        platform.platform.domains = {
            "1": {"hostname": "www.example.com", "service": "shop"},
            "2": {"hostname": "blog.example.com", "service": "blog"},
        }
        platform.settings = {
            "routes": ["*.shop.example.com/api/*"],
            "custom_domains": ["shop.example.com"],
            "crons": ["0 5 * * *", "*/10 * * * *"],
            "workers_dev": False,
        }
        deployment = harness.deploy_sample()
        assert deployment.url == "https://shop.example.com"
        patterns = {item["pattern"]: item["script"] for item in zone.routes.values()}
        assert patterns == {"blog.example.com/*": "blog", "*.shop.example.com/api/*": "shop"}
        hosts = {item["hostname"]: item["service"] for item in platform.platform.domains.values()}
        assert hosts == {"blog.example.com": "blog", "shop.example.com": "shop"}
        assert platform.worker.crons == ["0 5 * * *", "*/10 * * * *"]
        assert not platform.worker.enabled

    def test_log_is_switched_on(self, harness, platform):
        harness.deploy_sample()
        platform.worker.settings = {"observability": {"enabled": False}, "logpush": True}
        harness.deploy_sample("new")
        assert platform.worker.settings == {"observability": {"enabled": True}, "logpush": True}

    def test_secret_of_a_preview_never_reaches_production(self, harness, platform):
        harness.deploy_sample()
        harness.deploy(harness.bundle("p"), "preview", env={"GREETING": "preview", "ONLY": "there"})
        harness.deploy(harness.bundle("new"), env={"FAREWELL": "bye"})
        live = harness.get_live().env
        assert live == {"GREETING": harness.env["GREETING"], "FAREWELL": "bye"}

    def test_a_first_preview_is_like_later_ones(self, harness):
        first = harness.deploy(harness.bundle("first"), "preview")
        later = harness.deploy(harness.bundle("later"), "preview")
        assert (first.live, first.draft) == (later.live, later.draft) == (True, False)

    def test_secret_of_a_first_preview_never_reaches_production(self, harness, platform):
        harness.deploy(harness.bundle("p"), "preview", env={"GREETING": "preview", "ONLY": "there"})
        assert harness.call("env", "production").list() == {}
        with pytest.raises(DeployError, match="'shop' is not deployed to production"):
            harness.call("env", "production").set({"FAREWELL": Secret("bye")})
        harness.deploy_sample("new")
        assert harness.get_live().env == harness.env

    def test_secret_of_production_never_reaches_a_preview(self, harness, platform):
        harness.deploy(harness.bundle(), env={"GREETING": "hello", "ONLY": "there"})
        harness.deploy(harness.bundle("p"), "preview", env={"GREETING": "preview"})
        assert platform.worker.versions[-1].secrets == {"GREETING": "preview"}

    def test_variable_of_the_app_goes_before_vars(self, harness, platform):
        platform.settings = {"vars": {"GREETING": "plain", "LEVEL": "info"}}
        harness.deploy_sample()
        assert harness.get_live().env == {**harness.env, "LEVEL": "info"}

    def test_other_credentials_of_the_environment_are_not_sent(
        self, harness, platform, monkeypatch
    ):
        monkeypatch.setenv("CLOUDFLARE_API_KEY", "global-key")
        monkeypatch.setenv("CLOUDFLARE_EMAIL", "dev@example.com")
        monkeypatch.setenv("CLOUDFLARE_API_USER_SERVICE_KEY", "service-key")
        harness.deploy_sample()
        sent = {name for item in platform.requests for name in item.headers}
        assert not [name for name in sent if name.startswith("x-auth-")]

    def test_account_is_found_by_the_token(self, harness, platform):
        platform.settings = {"scope": ""}
        assert harness.deploy_sample().live


class TestPreview(CloudflareFixtures):
    def test_preview_has_an_address_for_its_branch(self, harness, platform):
        harness.deploy_sample()
        request = {"branch": "Feature/Größe-1"}
        first = harness.deploy_without_promotion(harness.bundle("a"), "preview", **request)
        second = harness.deploy_without_promotion(harness.bundle("b"), "preview", **request)
        assert first.url == second.url == "https://feature-gr-e-1-shop.acme.workers.dev"
        listed = {item.id: item for item in harness.call("deployments", 10)}
        assert listed[second.id].url == second.url
        assert listed[first.id].url == f"https://{first.id[:8]}-shop.acme.workers.dev"
        assert listed[second.id].branch == "Feature/Größe-1"

    @pytest.mark.parametrize("size", [4, 40, 54])
    def test_alias_fits_into_a_host_name(self, harness, platform, size):
        platform.project = "s" * size
        harness.deploy_sample()
        branches = [f"{'long-branch-name' * 5}-{number}" for number in range(2)]
        urls = {
            harness.deploy_without_promotion(harness.bundle(branch), "preview", branch=branch).url
            for branch in branches
        }
        labels = [url.removeprefix("https://").partition(".")[0] for url in urls]
        assert len(labels) == 2
        assert all(len(label) <= 63 for label in labels)

    def test_name_without_room_for_a_preview(self, harness, platform):
        platform.project = "s" * 55
        harness.deploy_sample()
        assert harness.deploy_without_promotion(harness.bundle("new")).live, (
            "it cannot be tested first"
        )
        with pytest.raises(DeployError, match="is too long for preview URLs"):
            harness.deploy_sample("p", "preview")

    def test_plan_of_a_preview_without_an_address(self, harness, platform):
        platform.settings = {"workers_dev": False, "routes": ["shop.example.com/*"]}
        harness.deploy_sample()
        bundle, request = harness.bundle("p"), harness.build_request("preview")
        for verb, arguments in (("plan", ()), ("deploy", (harness.recorder,))):
            with pytest.raises(DeployError, match="has no preview URLs"):
                harness.call(verb, bundle, request, *arguments)

    def test_first_preview_has_no_production_address(self, harness, platform):
        deployment = harness.deploy_sample(environment="preview")
        assert deployment.environment == "preview"
        assert not platform.worker.enabled
        assert harness.platform.get_live("production") is None
        assert not [
            item for item in harness.call("deployments", 10) if item.environment != "preview"
        ]
        live = harness.deploy_sample("new")
        assert harness.get_live().id == live.id
        with pytest.raises(DeployError, match="no earlier deployment"):
            harness.call("rollback", "", harness.recorder)

    def test_preview_is_not_promoted(self, harness, platform):
        harness.deploy_sample()
        preview = harness.deploy_sample("p", "preview")
        for verb in ("promote", "rollback"):
            with pytest.raises(DeployError, match="have the values for previews") as raised:
                harness.call(verb, preview.id, harness.recorder)
            assert "--prod" in raised.value.hint
        with pytest.raises(DeployError, match="is a preview"):
            harness.call("canary", preview.id, 10, harness.recorder)

    def test_message_and_tag_keep_their_limits(self, harness, platform):
        git = Git(commit="c" * 40, branch="b")
        request = harness.build_request(
            fingerprint="f" * 64, message="\N{SNOWMAN}" * 2000, branch="b" * 250, git=git
        )
        with harness.observe_call():
            harness.caller.deploy(
                harness.build_access(), harness.bundle(), request, harness.recorder
            )
        annotations = platform.worker.versions[0].annotations
        assert len(annotations["workers/tag"].encode()) <= 100
        assert len(annotations["workers/message"].encode()) <= 1000
        listed = harness.call("deployments", 1)[0]
        assert listed.fingerprint == "f" * 64
        assert listed.message.startswith("\N{SNOWMAN}")

    def test_deploy_needs_no_name_of_a_stage(self, harness, platform):
        """A version of another tool counts as production."""
        worker = platform.add_worker("shop")
        assert [item.environment for item in harness.call("deployments", 10)] == ["production"]
        assert harness.call("deployments", 10)[0].id == worker.versions[0].id
        deployment = harness.deploy_sample()
        assert deployment.live
        assert "was deployed by another tool" in "\n".join(harness.recorder.lines)
