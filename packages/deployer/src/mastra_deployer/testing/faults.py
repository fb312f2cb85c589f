"""Test deploys whose requests fail."""
# ruff: noqa: S101  # tests assert

from __future__ import annotations

import re
from collections.abc import Iterable

import pytest

from mastra_core.errors import ApiError, AuthError, DeployError, DeploymentFailed, DeployTimeout
from mastra_core.pipeline import Bundle
from mastra_deployer.testing.fault_injection import (
    LOST,
    RESET,
    TRUNCATED,
    Exchange,
    Fault,
    Rule,
    build_error,
    build_rate_limit,
    fail_at_random,
    fail_each_once,
    fail_from,
)
from mastra_deployer.testing.fixtures import SuiteFixtures
from mastra_deployer.testing.harness import Harness

__all__ = ("FaultTests",)

_MAX_RUNS = 8  # with random faults; each run makes some progress
_MAX_REPEATS = 30  # of a deploy in which each unrepeatable request fails once
_SHARE = 0.3  # of the requests get a random fault
_MESSAGE = "the moon is in the wrong house"


class FaultTests(SuiteFixtures):
    """Deploys survive errors, lost responses and lost connections, or raise the right error."""

    def test_deploy_retries_after_429(self, harness: Harness) -> None:
        """If the first attempt of each request gets a 429, this deploy or the next one succeeds."""
        self._deploy_despite(harness, build_rate_limit())

    def test_deploy_retries_after_503(self, harness: Harness) -> None:
        """If the first attempt of each request gets a 503, this deploy or the next one succeeds."""
        self._deploy_despite(harness, build_error(503, "try again"))

    def test_deploy_retries_after_a_reset_connection(self, harness: Harness) -> None:
        """If the connection of each request is reset once, this deploy or the next one succeeds."""
        self._deploy_despite(harness, RESET)

    def test_deploy_retries_after_a_truncated_response(self, harness: Harness) -> None:
        """If each response is truncated once, this deploy or the next one succeeds."""
        self._deploy_despite(harness, TRUNCATED)

    def test_a_lost_response_creates_no_duplicate(self, harness: Harness) -> None:
        """If the response to a create request is lost, the resource is found, not created again."""
        self.require(harness, "deploy")
        bundle = harness.bundle()
        with harness.record_requests() as requests:
            harness.deploy(bundle)
        after_one = len(harness.platform.list_resources())
        harness.deploy(bundle)
        after_two = len(harness.platform.list_resources())
        for kind in _list_kinds(item for item in requests if not self.is_read(item)):
            harness.platform.reset()
            harness.deploy_with_faults(bundle, _fail_first(kind, LOST))
            assert len(harness.platform.list_resources()) <= after_one, f"created again: {kind}"
            harness.deploy(bundle)
            assert len(harness.platform.list_resources()) <= after_two, (
                f"created again by the next run: {kind}"
            )
            assert self.is_complete(harness.get_live(), bundle, self._get_env(harness)), (
                f"not live after {kind}"
            )

    def test_no_partial_deployment_is_live(self, harness: Harness) -> None:
        """If a deploy is aborted after any request, either the old or the new version is live."""
        self.require(harness, "deploy")
        old = harness.bundle("0")
        harness.deploy(old)
        with harness.record_requests() as requests:
            harness.deploy(old := harness.bundle("1"))
        before = self._get_env(harness)
        for cut in range(len(requests)):
            bundle = harness.bundle(f"cut {cut}")
            env = {name: f"{value}-{cut}" for name, value in self._get_env(harness).items()}
            error = harness.deploy_with_faults(
                bundle, fail_from(cut, RESET if cut % 2 else LOST), env=env
            )
            live = harness.get_live()
            complete = self.is_complete(live, bundle, env)
            assert complete or self.is_complete(live, old, before), f"a part of it is live ({cut})"
            assert error or complete, f"it succeeded and is not live ({cut})"
            harness.deploy(bundle, env=env)
            assert self.is_complete(harness.get_live(), bundle, env), (
                f"run again, it is not live ({cut})"
            )
            old, before = bundle, env

    def test_a_rejected_token_raises_auth_error(self, harness: Harness) -> None:
        """A token that the platform rejects raises AuthError, and nothing becomes live."""
        self.require(harness, "deploy")
        with pytest.raises(AuthError):
            harness.deploy(harness.bundle(), token="no-such-token-5150")  # noqa: S106  # not a token
        assert harness.platform.get_live("production") is None

    def test_a_platform_error_keeps_its_message(self, harness: Harness) -> None:
        """A rejected change raises a DeployError with the platform's own message."""
        self.require(harness, "deploy")
        bundle = harness.bundle()
        harness.platform.reject_changes(_MESSAGE)
        with pytest.raises(DeployError) as raised:
            harness.deploy(bundle)
        assert isinstance(raised.value, ApiError) or type(raised.value) is DeployError
        assert _MESSAGE in str(raised.value), "the platform's message is lost"

    def test_a_failed_deployment_raises_deployment_failed(self, harness: Harness) -> None:
        """If a deployment fails, DeploymentFailed is raised, and the old deployment stays live."""
        self.require(harness, "deploy", "can_fail")
        old, new = harness.bundle(), harness.bundle("new")
        harness.deploy(old)
        harness.platform.fail_deployments(_MESSAGE)
        with pytest.raises(DeploymentFailed) as raised:
            harness.deploy(new)
        assert _MESSAGE in str(raised.value), "the platform's message is lost"
        assert self.is_complete(harness.get_live(), old, self._get_env(harness)), (
            "the old one is no longer live"
        )
        harness.platform.clear_faults()
        harness.deploy(new)
        assert self.is_complete(harness.get_live(), new, self._get_env(harness)), (
            "run again, it is not live"
        )

    def test_an_endless_deployment_raises_deploy_timeout(self, harness: Harness) -> None:
        """A deployment that never finishes raises DeployTimeout."""
        self.require(harness, "deploy", "can_hang")
        bundle = harness.bundle()
        harness.platform.hang_deployments()
        with harness.proxy.apply_rule(None), pytest.raises(DeployTimeout):
            harness.deploy(bundle)

    def test_deploy_without_wait_returns_building(self, harness: Harness) -> None:
        """Without waiting, a deploy returns ``building``, or refuses before it sends anything."""
        self.require(harness, "deploy", "can_hang")
        harness.platform.hang_deployments()
        error, bundle = None, harness.bundle()
        with harness.record_requests() as requests:
            try:
                deployment = harness.deploy(bundle, wait=False)
            except DeployError as refusal:
                error = refusal
        if error is None:
            assert deployment.state == "building", "the state is not building"
        elif not all(map(self.is_read, requests)):
            raise error

    def test_deploy_survives_random_faults(self, harness: Harness) -> None:
        """If 30 % of requests fail, a repeated deploy succeeds; no partial version is live."""
        self.require(harness, "deploy")
        for seed in range(self.random_fault_runs):
            harness.platform.reset()
            old, new = harness.bundle(), harness.bundle("new")
            if seed % 2:  # the platform is empty in every second run
                harness.deploy(old, env={})
            runs = self._deploy_until_success(harness, seed, old, new)
            assert runs <= _MAX_RUNS, f"it took {runs} runs (seed {seed})"
            assert self.is_complete(harness.get_live(), new, self._get_env(harness)), (
                f"not live (seed {seed})"
            )

    def _deploy_until_success(self, harness: Harness, seed: int, old: Bundle, new: Bundle) -> int:
        """Deploy until a deploy succeeds, and return the number of attempts."""
        faults = (build_rate_limit(), build_error(500, "a bad day"), RESET, LOST)
        inject = fail_at_random(seed, _SHARE, *faults)

        def check_and_inject(exchange: Exchange) -> Fault | None:
            live = None if self.is_read(exchange) else harness.platform.get_live("production")
            versions: tuple[tuple[Bundle, dict[str, str]], ...] = (
                (old, {}),
                (new, self._get_env(harness)),
            )
            if live and not any(self.is_complete(live, *version) for version in versions):
                partial.append(f"a part of it is live (seed {seed}, {exchange})")
            return inject(exchange)

        partial: list[str] = []
        runs = 1
        while runs <= _MAX_RUNS and harness.deploy_with_faults(new, check_and_inject):
            runs += 1
        assert not partial
        return runs

    def _deploy_despite(self, harness: Harness, fault: Fault) -> None:
        """Deploy with a fault in each repeatable request, and then in each other request."""
        self.require(harness, "deploy")
        bundle = harness.bundle()
        error = harness.deploy_with_faults(bundle, fail_each_once(fault, self.is_repeatable))
        assert error is None, f"it gave up: {error}"
        assert self.is_complete(harness.get_live(), bundle, self._get_env(harness))
        resources = len(harness.platform.list_resources())
        harness.platform.reset()
        rule = fail_each_once(fault, lambda exchange: not self.is_repeatable(exchange))
        for _ in range(_MAX_REPEATS):
            error = harness.deploy_with_faults(bundle, rule)
            if error is None:
                break
        assert error is None, f"run {_MAX_REPEATS} times, it still failed: {error}"
        assert self.is_complete(harness.get_live(), bundle, self._get_env(harness)), (
            "run again, it is not live"
        )
        assert len(harness.platform.list_resources()) <= resources, "something was created twice"

    def _get_env(self, harness: Harness) -> dict[str, str]:
        return harness.env if harness.caller.target.stores_env else {}


def _get_kind(exchange: Exchange) -> str:
    """Return method and path, with ``*`` for parts that contain a digit, such as digests."""
    path = exchange.path.partition("?")[0]
    parts = ["*" if re.search(r"\d", part) else part for part in path.split("/")]
    return f"{exchange.method} {'/'.join(parts)}"


def _list_kinds(exchanges: Iterable[Exchange]) -> list[str]:
    return list(dict.fromkeys(map(_get_kind, exchanges)))


def _fail_first(kind: str, fault: Fault) -> Rule:
    """Return a rule that injects the fault into the first request of a kind."""
    matches: list[Exchange] = []

    def select(exchange: Exchange) -> Fault | None:
        if matches or _get_kind(exchange) != kind:
            return None
        matches.append(exchange)
        return fault

    return select
