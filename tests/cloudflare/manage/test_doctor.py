"""The doctor reads only, and names what a deploy would fail on."""

import pytest

from mastra_core.errors import AuthError
from tests.cloudflare.fake.state import OTHER_ACCOUNT, PERMISSIONS, Worker
from tests.cloudflare.suite import CloudflareFixtures
from tests.platform_fakes.faults import Fault

STORAGE = {"kv": {"A": "a"}, "d1": {"B": "b"}, "r2": {"C": "ccc"}, "queues": {"D": "d"}}


class TestDoctor(CloudflareFixtures):
    @pytest.mark.parametrize(
        ("permission", "name", "use"),
        [
            ("scripts", "Workers Scripts: Edit", "deploying"),
            ("kv", "Workers KV Storage: Edit", "the setting kv"),
            ("d1", "D1: Edit", "the setting d1"),
            ("r2", "Workers R2 Storage: Edit", "the setting r2"),
            ("queues", "Queues: Edit", "the setting queues"),
            ("zones", "Zone: Read", "routes"),
            ("routes", "Workers Routes: Edit", "routes"),
        ],
    )
    def test_each_missing_permission_is_named(self, harness, platform, permission, name, use):
        platform.settings = {**STORAGE, "routes": ["shop.example.com/*"]}
        assert not harness.call("doctor")
        platform.platform.tokens = {platform.token: PERMISSIONS - {permission}}
        (problem,) = harness.call("doctor")
        assert name in f"{problem.message} {problem.hint}"
        assert use in problem.message or "addresses" in problem.message
        assert problem.severity == "error"

    def test_permissions_that_nothing_needs_are_not_asked_for(self, harness, platform):
        platform.platform.tokens = {platform.token: frozenset({"scripts"})}
        problems = harness.call("doctor")
        assert [problem.severity for problem in problems] == ["warning", "warning"]
        assert "Observability" in problems[0].message
        assert "Tail" in problems[1].message

    def test_log_that_cannot_be_read_is_a_warning(self, harness, platform):
        platform.add_fault("POST", "/telemetry/query$", Fault(status=400, raw=b"{}"), times=9)
        (problem,) = harness.call("doctor")
        assert problem.severity == "warning"
        assert "The log of the Worker cannot be read" in problem.message

    @pytest.mark.parametrize("status", ["expired", "disabled"])
    def test_token_that_is_not_active(self, harness, platform, status):
        platform.platform.token_status = status
        with pytest.raises(AuthError, match=f"The token is {status}"):
            harness.call("doctor")

    def test_account_without_a_subdomain(self, harness, platform):
        platform.platform.subdomain = ""
        (problem,) = harness.call("doctor")
        assert "no workers.dev subdomain" in problem.message
        assert "workers_dev=false" in problem.hint

    def test_zone_of_another_account(self, harness, platform):
        platform.settings = {"routes": ["shop.other.example/*"]}
        (problem,) = harness.call("doctor")
        assert "belongs to another account" in problem.message
        assert OTHER_ACCOUNT in problem.hint

    @pytest.mark.parametrize(("count", "severity"), [(99, ""), (100, "warning"), (500, "error")])
    def test_number_of_workers(self, harness, platform, count, severity):
        names = [f"worker-{number}" for number in range(count)]
        platform.platform.workers = {name: Worker(name=name) for name in names}
        assert [problem.severity for problem in harness.call("doctor")] == [severity] * bool(
            severity
        )
        platform.project = "worker-0"
        platform.platform.workers["worker-0"].enabled = True
        assert not harness.call("doctor"), "it exists already"
