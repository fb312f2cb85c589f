"""Tests of deploys whose requests fail."""
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
from mastra_deployer.testing.harness import Rig

__all__ = ("FaultTests",)

_MAX_RUNS = 8  # with random faults: each run gets further, how far is random
_SHARE = 0.3  # of the requests get a random fault
_MESSAGE = "the moon is in the wrong house"


class FaultTests(SuiteFixtures):
    """Deploys survive errors, lost responses and lost connections, or raise the right error."""

    def test_deploy_retries_after_429(self, rig: Rig) -> None:
        """429 with Retry-After, once for every request: the deploy waits and goes on."""
        self._deploy_despite(rig, build_rate_limit())

    def test_deploy_retries_after_503(self, rig: Rig) -> None:
        """503, once for every request: the deploy repeats the request."""
        self._deploy_despite(rig, build_error(503, "try again"))

    def test_deploy_retries_after_a_reset_connection(self, rig: Rig) -> None:
        """A reset connection, once for every request: the deploy repeats the request."""
        self._deploy_despite(rig, RESET)

    def test_deploy_retries_after_a_truncated_response(self, rig: Rig) -> None:
        """A truncated response, once for every request: the deploy repeats the request."""
        self._deploy_despite(rig, TRUNCATED)

    def test_a_lost_response_creates_no_duplicate(self, rig: Rig) -> None:
        """A resource whose create response was lost is found, not created again."""
        self.needs(rig, "deploy")
        bundle = rig.bundle()
        with rig.record_requests() as requests:
            rig.deploy(bundle)
        after_one = len(rig.platform.things())
        rig.deploy(bundle)
        after_two = len(rig.platform.things())
        for kind in _list_kinds(item for item in requests if not self.reads(item)):
            rig.platform.reset()
            rig.deploy_with_faults(bundle, _fail_first(kind, LOST))
            assert len(rig.platform.things()) <= after_one, f"created again: {kind}"
            rig.deploy(bundle)
            assert len(rig.platform.things()) <= after_two, f"created again by the next run: {kind}"
            assert self.is_whole(rig.get_live(), bundle, self._get_env(rig)), (
                f"not live after {kind}"
            )

    def test_no_partial_deployment_is_live(self, rig: Rig) -> None:
        """A deploy aborted after any request leaves the old or the new version live, complete."""
        self.needs(rig, "deploy")
        old = rig.bundle("0")
        rig.deploy(old)
        with rig.record_requests() as requests:
            rig.deploy(old := rig.bundle("1"))
        before = self._get_env(rig)
        for cut in range(len(requests)):
            bundle = rig.bundle(f"cut {cut}")
            env = {name: f"{value}-{cut}" for name, value in self._get_env(rig).items()}
            error = rig.deploy_with_faults(
                bundle, fail_from(cut, RESET if cut % 2 else LOST), env=env
            )
            live = rig.get_live()
            complete = self.is_whole(live, bundle, env)
            assert complete or self.is_whole(live, old, before), f"a part of it is live ({cut})"
            assert error or complete, f"it succeeded and is not live ({cut})"
            rig.deploy(bundle, env=env)
            assert self.is_whole(rig.get_live(), bundle, env), f"run again, it is not live ({cut})"
            old, before = bundle, env

    def test_a_rejected_token_raises_auth_error(self, rig: Rig) -> None:
        """A token that the platform rejects raises AuthError, and nothing is live."""
        self.needs(rig, "deploy")
        with pytest.raises(AuthError):
            rig.deploy(rig.bundle(), token="no-such-token-5150")  # noqa: S106  # not a token
        assert rig.platform.live("production") is None

    def test_a_platform_error_keeps_its_message(self, rig: Rig) -> None:
        """A rejected change raises a DeployError that has the platform's own message."""
        self.needs(rig, "deploy")
        bundle = rig.bundle()
        rig.platform.refuse(_MESSAGE)
        with pytest.raises(DeployError) as raised:
            rig.deploy(bundle)
        assert isinstance(raised.value, ApiError) or type(raised.value) is DeployError
        assert _MESSAGE in str(raised.value), "the platform's message is lost"

    def test_a_failed_deployment_raises_deployment_failed(self, rig: Rig) -> None:
        """A deployment that fails once accepted raises DeploymentFailed; the old one stays live."""
        self.needs(rig, "deploy", "failing")
        old, new = rig.bundle(), rig.bundle("new")
        rig.deploy(old)
        rig.platform.fail(_MESSAGE)
        with pytest.raises(DeploymentFailed) as raised:
            rig.deploy(new)
        assert _MESSAGE in str(raised.value), "the platform's message is lost"
        assert self.is_whole(rig.get_live(), old, self._get_env(rig)), (
            "the old one is no longer live"
        )
        rig.platform.heal()
        rig.deploy(new)
        assert self.is_whole(rig.get_live(), new, self._get_env(rig)), "run again, it is not live"

    def test_an_endless_deployment_raises_deploy_timeout(self, rig: Rig) -> None:
        """A deployment that never finishes raises DeployTimeout."""
        self.needs(rig, "deploy", "endless")
        bundle = rig.bundle()
        rig.platform.hang()
        with rig.proxy.apply_rule(None), pytest.raises(DeployTimeout):
            rig.deploy(bundle)

    def test_deploy_without_wait_returns_building(self, rig: Rig) -> None:
        """Without waiting, a deploy sends everything and returns the state ``building``."""
        self.needs(rig, "deploy", "endless")
        rig.platform.hang()
        deployment = rig.deploy(rig.bundle(), wait=False)
        assert deployment.state == "building", "the state is not building"

    def test_a_storm_is_ridden_out(self, rig: Rig) -> None:
        """Three in ten requests fail at random: repeated runs end live, never live in part."""
        self.needs(rig, "deploy")
        for seed in range(self.storms):
            rig.platform.reset()
            old, new = rig.bundle(), rig.bundle("new")
            if seed % 2:  # every other time the platform is empty
                rig.deploy(old, env={})
            runs = self._ride(rig, seed, old, new)
            assert runs <= _MAX_RUNS, f"it took {runs} runs (seed {seed})"
            assert self.is_whole(rig.get_live(), new, self._get_env(rig)), f"not live (seed {seed})"

    def _ride(self, rig: Rig, seed: int, old: Bundle, new: Bundle) -> int:
        """Deploy until it succeeds, and return the number of runs."""
        faults = (build_rate_limit(), build_error(500, "a bad day"), RESET, LOST)
        inject = fail_at_random(seed, _SHARE, *faults)

        def check_and_inject(exchange: Exchange) -> Fault | None:
            live = None if self.reads(exchange) else rig.platform.live("production")
            versions: tuple[tuple[Bundle, dict[str, str]], ...] = (
                (old, {}),
                (new, self._get_env(rig)),
            )
            if live and not any(self.is_whole(live, *version) for version in versions):
                partial.append(f"a part of it is live (seed {seed}, {exchange})")
            return inject(exchange)

        partial: list[str] = []
        runs = 1
        while runs <= _MAX_RUNS and rig.deploy_with_faults(new, check_and_inject):
            runs += 1
        assert not partial
        return runs

    def _deploy_despite(self, rig: Rig, fault: Fault) -> None:
        """Deploy with the fault once for each repeatable request, then for each of the others."""
        self.needs(rig, "deploy")
        bundle = rig.bundle()
        error = rig.deploy_with_faults(bundle, fail_each_once(fault, self.repeatable))
        assert error is None, f"it gave up: {error}"
        assert self.is_whole(rig.get_live(), bundle, self._get_env(rig))
        resources = len(rig.platform.things())
        rig.platform.reset()
        rule = fail_each_once(fault, lambda exchange: not self.repeatable(exchange))
        for _ in range(5):
            if rig.deploy_with_faults(bundle, rule) is None:
                break
        assert self.is_whole(rig.get_live(), bundle, self._get_env(rig)), (
            "run again, it is not live"
        )
        assert len(rig.platform.things()) <= resources, "something was created twice"

    def _get_env(self, rig: Rig) -> dict[str, str]:
        return rig.env if rig.caller.target.stores_env else {}


def _get_kind(exchange: Exchange) -> str:
    """Return method and path, with ``*`` for parts that hold a digit, such as digests."""
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
