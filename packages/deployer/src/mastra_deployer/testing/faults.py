"""Promises on deploys while something goes wrong."""
# ruff: noqa: S101  # a promise is an assertion

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
    at_random,
    busy,
    each_once,
    failing,
    since,
)
from mastra_deployer.testing.fixtures import Promises
from mastra_deployer.testing.harness import Rig

__all__ = ("Troubles",)

_RUNS = 8  # at most, in a storm: each gets further, how far is chance
_SHARE = 0.3  # of the requests in it fail
_WORDS = "the moon is in the wrong house"


class Troubles(Promises):
    """Answers that are errors, late, lost or broken."""

    def test_too_many_requests_are_waited_out(self, rig: Rig) -> None:
        """429 with Retry-After, once for every request: the deploy waits and goes on."""
        self._survives(rig, busy())

    def test_an_unavailable_platform_is_asked_again(self, rig: Rig) -> None:
        """503, once for every request: the deploy asks again."""
        self._survives(rig, failing(503, "try again"))

    def test_a_broken_connection_is_mended(self, rig: Rig) -> None:
        """A connection that breaks, once for every request: the deploy asks again."""
        self._survives(rig, RESET)

    def test_half_an_answer_is_no_answer(self, rig: Rig) -> None:
        """An answer that breaks off, once for every request: the deploy asks again."""
        self._survives(rig, TRUNCATED)

    def test_nothing_is_created_twice_when_an_answer_is_lost(self, rig: Rig) -> None:
        """What was created and whose answer was lost is found, not created again."""
        self.needs(rig, "deploy")
        bundle = rig.bundle()
        with rig.recorded() as seen:
            rig.deploy(bundle)
        once = len(rig.platform.things())
        rig.deploy(bundle)
        twice = len(rig.platform.things())
        for kind in _kinds(exchange for exchange in seen if not self.reads(exchange)):
            rig.platform.reset()
            rig.attempt(bundle, _first(kind, LOST))
            assert len(rig.platform.things()) <= once, f"created again: {kind}"
            rig.deploy(bundle)
            assert len(rig.platform.things()) <= twice, f"created again by the next run: {kind}"
            assert self.is_whole(rig.live(), bundle, self._env(rig)), f"not live after {kind}"

    def test_nothing_is_ever_live_by_half(self, rig: Rig) -> None:
        """Broken off after any request, users see what was there or what is new, whole."""
        self.needs(rig, "deploy")
        old = rig.bundle("0")
        rig.deploy(old)
        with rig.recorded() as seen:
            rig.deploy(old := rig.bundle("1"))
        before = self._env(rig)
        for cut in range(len(seen)):
            bundle = rig.bundle(f"cut {cut}")
            env = {name: f"{value}-{cut}" for name, value in self._env(rig).items()}
            error = rig.attempt(bundle, since(cut, RESET if cut % 2 else LOST), env=env)
            live = rig.live()
            whole = self.is_whole(live, bundle, env)
            assert whole or self.is_whole(live, old, before), f"half of it is live ({cut})"
            assert error or whole, f"it ended well and is not live ({cut})"
            rig.deploy(bundle, env=env)
            assert self.is_whole(rig.live(), bundle, env), f"run again, it is not live ({cut})"
            old, before = bundle, env

    def test_a_refused_token_is_an_auth_error(self, rig: Rig) -> None:
        """A token that the platform refuses is an AuthError, and nothing is live."""
        self.needs(rig, "deploy")
        with pytest.raises(AuthError):
            rig.deploy(rig.bundle(), token="no-such-token-5150")  # noqa: S106  # it is none
        assert rig.platform.live("production") is None

    def test_a_platform_error_keeps_its_words(self, rig: Rig) -> None:
        """What the platform objects to is a DeployError in the platform's own words."""
        self.needs(rig, "deploy")
        bundle = rig.bundle()
        rig.platform.refuse(_WORDS)
        with pytest.raises(DeployError) as raised:
            rig.deploy(bundle)
        assert isinstance(raised.value, ApiError) or type(raised.value) is DeployError
        assert _WORDS in str(raised.value), "the platform's words are lost"

    def test_a_failed_deployment_is_told(self, rig: Rig) -> None:
        """A deployment that fails afterwards is a DeploymentFailed, and the old one stays."""
        self.needs(rig, "deploy", "failing")
        old, new = rig.bundle(), rig.bundle("new")
        rig.deploy(old)
        rig.platform.fail(_WORDS)
        with pytest.raises(DeploymentFailed) as raised:
            rig.deploy(new)
        assert _WORDS in str(raised.value), "the platform's words are lost"
        assert self.is_whole(rig.live(), old, self._env(rig)), "the old one is not live any more"
        rig.platform.heal()
        rig.deploy(new)
        assert self.is_whole(rig.live(), new, self._env(rig)), "run again, it is not live"

    def test_an_endless_deployment_is_given_up(self, rig: Rig) -> None:
        """A deployment that never finishes is a DeployTimeout."""
        self.needs(rig, "deploy", "endless")
        bundle = rig.bundle()
        rig.platform.hang()
        with rig.proxy.under(None), pytest.raises(DeployTimeout):
            rig.deploy(bundle)

    def test_not_waited_for_it_comes_back(self, rig: Rig) -> None:
        """Where nobody waits, a deploy hands everything over, and says that it is building."""
        self.needs(rig, "deploy", "endless")
        rig.platform.hang()
        made = rig.deploy(rig.bundle(), wait=False)
        assert made.state == "building", "it is not ready, and says so"

    def test_a_storm_is_ridden_out(self, rig: Rig) -> None:
        """Three in ten requests fail at random: run again, one is live, at every moment whole."""
        self.needs(rig, "deploy")
        for seed in range(self.storms):
            rig.platform.reset()
            old, new = rig.bundle(), rig.bundle("new")
            if seed % 2:  # every other one finds the platform empty
                rig.deploy(old, env={})
            runs = self._ride(rig, seed, old, new)
            assert runs <= _RUNS, f"it took {runs} runs (seed {seed})"
            assert self.is_whole(rig.live(), new, self._env(rig)), f"not live (seed {seed})"

    def _ride(self, rig: Rig, seed: int, old: Bundle, new: Bundle) -> int:
        """Deploy until it succeeds; how many runs it took."""
        storm = at_random(seed, _SHARE, busy(), failing(500, "a bad day"), RESET, LOST)

        def watched(exchange: Exchange) -> Fault | None:
            live = None if self.reads(exchange) else rig.platform.live("production")
            wanted: tuple[tuple[Bundle, dict[str, str]], ...] = ((old, {}), (new, self._env(rig)))
            if live and not any(self.is_whole(live, *each) for each in wanted):
                broken.append(f"half of it is live (seed {seed}, {exchange})")
            return storm(exchange)

        broken: list[str] = []
        runs = 1
        while runs <= _RUNS and rig.attempt(new, watched):
            runs += 1
        assert not broken
        return runs

    def _survives(self, rig: Rig, fault: Fault) -> None:
        """Each request that may be repeated meets the fault once; then each of the others."""
        self.needs(rig, "deploy")
        bundle = rig.bundle()
        error = rig.attempt(bundle, each_once(fault, self.repeatable))
        assert error is None, f"it gave up: {error}"
        assert self.is_whole(rig.live(), bundle, self._env(rig))
        things = len(rig.platform.things())
        rig.platform.reset()
        rule = each_once(fault, lambda exchange: not self.repeatable(exchange))
        for _ in range(5):
            if rig.attempt(bundle, rule) is None:
                break
        assert self.is_whole(rig.live(), bundle, self._env(rig)), "run again, it is not live"
        assert len(rig.platform.things()) <= things, "something was created twice"

    def _env(self, rig: Rig) -> dict[str, str]:
        return rig.env if rig.line.target.stores_env else {}


def _kind(exchange: Exchange) -> str:
    """Method and path, with names and digests taken for one another."""
    path = exchange.path.partition("?")[0]
    parts = ["*" if re.search(r"\d", part) else part for part in path.split("/")]
    return f"{exchange.method} {'/'.join(parts)}"


def _kinds(exchanges: Iterable[Exchange]) -> list[str]:
    return list(dict.fromkeys(map(_kind, exchanges)))


def _first(kind: str, fault: Fault) -> Rule:
    """The fault for the first request of a kind."""
    met: list[Exchange] = []

    def rule(exchange: Exchange) -> Fault | None:
        if met or _kind(exchange) != kind:
            return None
        met.append(exchange)
        return fault

    return rule
