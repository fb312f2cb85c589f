"""Each bad input is refused with a sentence and a cure, and nothing of it becomes live."""

import contextlib

import pytest

from mastra_core import Secret
from mastra_core.errors import (
    ApiError,
    AuthError,
    BundleError,
    ConfigError,
    DeployError,
    DeploymentFailed,
    DeployTimeout,
)
from mastra_deployer.testing.fault_injection import RESET, build_error
from tests.cloudflare.fake.state import OTHER_ACCOUNT, PERMISSIONS
from tests.cloudflare.suite import CloudflareFixtures
from tests.platform_fakes.faults import NOT_JSON, Fault

RETIRED = Fault(status=410, raw=b'{"success":false,"errors":[{"code":1,"message":"gone"}]}')
PAYMENT = Fault(status=402, raw=b'{"success":false,"errors":[{"code":1,"message":"pay"}]}')
FALSE = Fault(
    status=200,
    raw=b'{"success":false,"errors":[{"code":10013,"message":"an odd day"}],"result":null}',
    headers={"content-type": "application/json"},
)
HTML = Fault(status=200, raw=NOT_JSON.raw, headers={"content-type": "text/html"})
ARRAY = Fault(status=200, raw=b"[]", headers={"content-type": "application/json"})
UPLOADS = r"/workers/scripts/shop(/versions)?$"

# Cloudflare's code and message for an upload, and what the error and its hint say.
CODES = [
    (400, 10021, "Script startup exceeded CPU time limit.", "fails while the Worker starts",
     "build_app=request"),
    (400, 10021, "Worker exceeded memory limit.", "fails while the Worker starts", "memory"),
    (400, 10021, "Uncaught KeyError: 'API_KEY' at index.py:4", "fails while the Worker starts",
     "mastra preview cloudflare"),
    (400, 10021, 'Dynamic require of "fs" is not supported', "a fault of Cloudflare", "later"),
    (400, 10021, "Can't serialize top-level variable", "a fault of Cloudflare", "later"),
    (413, 10027, "Your Worker exceeded the size limit.", "larger than Cloudflare allows",
     "largest packages"),
    (400, 10057, "Binding GREETING cannot be inherited.", "no longer exists", "mastra env set"),
    (400, 10068, "The uploaded script has no registered event handlers.", "no handler",
     "mastra bundle cloudflare"),
    (400, 10090, "Service auth was not found.", "does not exist", "services"),
    (404, 10007, "This Worker does not exist on your account.", "does not exist", "scope"),
    (400, 10054, "A secret exceeds the size limit.", "too large", "5 KB"),
    (400, 10055, "The number of variables exceeds the limit.", "too many", "128"),
    (400, 10056, "Binding not found.", "does not exist", "kv, d1"),
    (403, 10353, "You have been blocked from deploying Workers.", "has blocked", "support"),
    (400, 10037, "You have exceeded the limit of 100 Workers.", "answered 400", "message"),
    (400, 100402, "Exports cannot be reconciled.", "exported classes", "another project_name"),
    (400, 100405, "Exports differ.", "exported classes", "Durable Objects"),
    (400, 100406, "Transfer refused.", "exported classes", "Durable Objects"),
    (403, 10000, "Authentication error", "answered 403", "CLOUDFLARE_API_TOKEN"),
    (400, 6003, "Invalid request headers", "Invalid request headers", "CLOUDFLARE_API_TOKEN"),
]  # fmt: skip


class TestRefusals(CloudflareFixtures):
    @contextlib.contextmanager
    def refuse(self, harness, error, message):
        """The block raises an error with a cure, and what users see does not change."""
        before = harness.platform.get_live("production")
        with pytest.raises(error, match=message) as raised:
            yield raised
        assert raised.value.hint
        assert harness.platform.get_live("production") == before
        assert harness.platform.token not in str(raised.value)

    @pytest.mark.parametrize(("status", "code", "message", "sentence", "cure"), CODES)
    @pytest.mark.parametrize("is_first", [True, False], ids=["first", "later"])
    def test_codes_of_an_upload(
        self, harness, platform, status, code, message, sentence, cure, is_first
    ):
        if not is_first:
            harness.deploy_sample()
        platform.platform.upload_error = (status, code, message)
        with self.refuse(harness, DeployError, sentence) as raised:
            harness.deploy_sample("new")
        assert message.rstrip(".") in raised.value.message, "Cloudflare's own words are lost"
        assert cure in raised.value.hint
        assert isinstance(raised.value, DeploymentFailed) == (code == 10021)
        assert isinstance(raised.value, AuthError) == (code in (10000, 6003))
        platform.platform.upload_error = None
        assert harness.deploy_sample("new").live

    @pytest.mark.parametrize(
        ("fault", "message", "cure"),
        [
            pytest.param(RETIRED, "answered 410", "too old", id="retired client"),
            pytest.param(PAYMENT, "answered 402", "billing", id="payment"),
            pytest.param(NOT_JSON, "answered 502", "cloudflarestatus.com", id="gateway"),
            pytest.param(HTML, "text that is not JSON", "proxy", id="no JSON"),
            pytest.param(ARRAY, "not a JSON object", "proxy", id="no object"),
            pytest.param(FALSE, "an odd day", "message comes from", id="success is false"),
        ],
    )
    @pytest.mark.parametrize("path", ["/deployments$", UPLOADS, "/workers/subdomain$"])
    def test_bad_responses(self, harness, platform, fault, message, cure, path):
        harness.deploy_sample()
        platform.add_fault("*", path, fault, times=100)
        with self.refuse(harness, ApiError, message) as raised:
            harness.deploy_sample("new")
        assert cure in raised.value.hint

    @pytest.mark.parametrize(
        "token",
        ["no-such-token-0123456789", "short", "with a space in the middle of it"],
        ids=["unknown", "malformed", "spaces"],
    )
    def test_wrong_token(self, harness, platform, token):
        bundle = harness.bundle()
        with self.refuse(harness, AuthError, "oken|Invalid request"):
            harness.deploy(bundle, token=token)
        assert not platform.list_changes()

    def test_token_of_another_account(self, harness, platform):
        platform.settings = {"scope": OTHER_ACCOUNT}
        with self.refuse(harness, AuthError, "Authentication error"):
            harness.deploy_sample()
        assert not platform.list_changes()

    def test_token_of_several_accounts(self, harness, platform):
        platform.platform.accounts[OTHER_ACCOUNT] = "globex"
        platform.settings = {"scope": ""}
        with self.refuse(harness, ConfigError, "2 accounts") as raised:
            harness.deploy_sample()
        assert OTHER_ACCOUNT in raised.value.hint

    def test_token_without_an_account(self, harness, platform):
        platform.platform.accounts = {}
        platform.settings = {"scope": ""}
        with self.refuse(harness, AuthError, "no access to any account"):
            harness.deploy_sample()

    @pytest.mark.parametrize(
        ("permission", "settings"),
        [
            ("scripts", {}),
            ("kv", {"kv": {"CACHE": "cache"}}),
            ("d1", {"d1": {"DB": "shop"}}),
            ("r2", {"r2": {"FILES": "files"}}),
            ("queues", {"queues": {"JOBS": "jobs"}}),
            ("zones", {"routes": ["shop.example.com/*"]}),
            ("routes", {"routes": ["shop.example.com/*"]}),
            ("account", {"scope": ""}),
        ],
    )
    def test_token_without_one_permission(self, harness, platform, permission, settings):
        platform.platform.tokens = {platform.token: PERMISSIONS - {permission}}
        platform.settings = settings
        with self.refuse(harness, AuthError, "Authentication error"):
            harness.deploy_sample()
        assert not platform.list_changes()

    def test_account_without_a_subdomain(self, harness, platform):
        platform.platform.subdomain = ""
        with self.refuse(harness, DeployError, "has no workers.dev subdomain"):
            harness.deploy_sample()
        assert not platform.list_changes()
        platform.settings = {"workers_dev": False, "custom_domains": ["shop.example.com"]}
        assert harness.deploy_sample().url == "https://shop.example.com"
        assert harness.deploy_without_promotion(harness.bundle("new")).live, (
            "it cannot be tested first"
        )

    @pytest.mark.parametrize(
        ("settings", "message", "cure"),
        [
            ({"routes": ["shop.other.example/*"]}, "belongs to another account", OTHER_ACCOUNT),
            ({"custom_domains": ["shop.other.example"]}, "belongs to another account", "scope"),
            ({"routes": ["shop.nowhere.example/*"]}, "no zone for", "Zone: Read"),
            ({"routes": ["blog.example.com/*"]}, "belongs to the Worker 'blog'", "routes"),
            ({"routes": ["none.example.com/*"]}, "excludes its addresses", "routes"),
            ({"custom_domains": ["blog.example.com"]}, "the Worker 'blog'", "custom_domains"),
        ],
    )
    def test_addresses_of_others(self, harness, platform, settings, message, cure):
        platform.platform.zones[0].routes = {
            "1": {"pattern": "blog.example.com/*", "script": "blog"},
            "2": {"pattern": "none.example.com/*"},
        }
        domain = {"hostname": "blog.example.com", "service": "blog"}
        platform.platform.domains = {"1": domain}
        platform.settings = settings
        with self.refuse(harness, DeployError, message) as raised:
            harness.deploy_sample()
        assert cure in raised.value.hint
        assert not platform.list_changes()
        assert platform.platform.domains == {"1": domain}

    @pytest.mark.parametrize("is_first", [True, False], ids=["first", "later"])
    def test_preview_where_previews_are_off(self, harness, platform, is_first):
        if is_first:
            platform.settings = {"workers_dev": False, "custom_domains": ["shop.example.com"]}
        else:
            harness.deploy_sample()
            platform.worker.previews_enabled = False
        platform.settings = {**platform.settings, "kv": {"CACHE": "cache"}}
        platform.requests.clear()
        with self.refuse(harness, DeployError, "has no preview URLs"):
            harness.deploy_sample("p", "preview")
        assert not platform.list_changes()

    def test_bundle_without_the_handler_for_crons(self, harness, platform):
        bundle = harness.bundle()
        platform.settings = {"crons": ["0 5 * * *"], "kv": {"CACHE": "cache"}}
        with self.refuse(harness, BundleError, "made without crons"):
            harness.deploy(bundle)
        assert not platform.list_changes()

    def test_incomplete_bundle(self, harness):
        bundle = harness.bundle()
        (bundle.directory / "worker.json").write_text("{}")
        with self.refuse(harness, BundleError, "missing or invalid"):
            harness.deploy(bundle)

    def test_secret_that_vanishes_during_the_deploy(self, harness, platform):
        harness.deploy_sample()
        platform.platform.dropped_secrets = {"GREETING"}
        with self.refuse(harness, ApiError, "no longer exists"):
            harness.deploy(harness.bundle("new"), env={})

    def test_variables_stored_in_part(self, harness, platform):
        harness.deploy_sample()
        platform.platform.omitted_secrets = {"GREETING"}
        with self.refuse(harness, ApiError, "did not store these variables and bindings: GREETING"):
            harness.deploy_sample("new")
        store = harness.call("env", "production")
        platform.platform.clear_faults()
        harness.deploy_sample("new")
        assert harness.get_live().env == harness.env, "the incomplete version is not used again"
        platform.platform.omitted_secrets = {"GREETING"}
        with harness.observe_call(), pytest.raises(ApiError, match="did not store") as raised:
            store.set({"GREETING": Secret("x"), "ADDED": Secret("y")})
        assert "GREETING." in raised.value.message

    def test_aborted_upload(self, harness, platform):
        harness.deploy_sample()

        def abort_uploads(exchange):
            is_upload = exchange.headers.get("content-type", "").startswith("multipart/")
            return RESET if is_upload else None

        before = harness.get_live()
        error = harness.deploy_with_faults(harness.bundle("new"), abort_uploads)
        assert "cannot be reached" in str(error)
        assert harness.get_live() == before
        assert harness.deploy_sample("new").live

    @pytest.mark.parametrize("wait", ["1", "", "9999"], ids=["short", "none", "too long"])
    def test_rate_limit(self, harness, wait):
        harness.deploy_sample()
        headers = {"retry-after": wait} if wait else {}
        matches = []

        def limit_uploads(exchange):
            if exchange.path.partition("?")[0].endswith("/versions") and len(matches) < 2:
                matches.append(exchange)
                return build_error(429, "slow down", headers)
            return None

        error = harness.deploy_with_faults(harness.bundle("new"), limit_uploads)
        if wait == "9999":
            assert "again only after 3 hours" in str(error)
            assert "1200 requests" in error.hint
        else:
            assert error is None

    def test_list_that_never_shows_the_upload(self, harness, platform):
        """The first upload is found in the list of versions, which may lag behind."""
        empty = b'{"success":true,"result":{"items":[]}}'
        fault = Fault(status=200, raw=empty, headers={"content-type": "application/json"})
        platform.add_fault("GET", "/versions$", fault, times=1000)
        with pytest.raises(DeployTimeout, match="The upload did not finish within 30 s"):
            harness.deploy_sample()

    @pytest.mark.full
    def test_list_without_an_end(self, harness, platform):
        """A list whose pages never end."""
        page = b'{"success":true,"result":[{"id":"1","title":"x"}],"result_info":{"total_count":900000000}}'
        fault = Fault(status=200, raw=page, headers={"content-type": "application/json"})
        platform.add_fault("GET", "/storage/kv/namespaces$", fault, times=10**6)
        platform.settings = {"kv": {"CACHE": "cache"}}
        with self.refuse(harness, DeployError, "more than 1000 pages"):
            harness.deploy_sample()
