"""Test that no output and no URL contains a secret."""
# ruff: noqa: S101  # tests assert

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from urllib.parse import quote

import pytest

from mastra_core.errors import MastraError
from mastra_core.pipeline import Bundle
from mastra_deployer.testing.fault_injection import (
    RESET,
    TRUNCATED,
    Exchange,
    Fault,
    Rule,
    build_error,
    build_rate_limit,
    fail_from,
)
from mastra_deployer.testing.fixtures import SuiteFixtures
from mastra_deployer.testing.harness import Harness

__all__ = ("SecretTests",)


class SecretTests(SuiteFixtures):
    """No secret is exposed, even when requests fail."""

    def test_no_output_has_a_secret(self, harness: Harness) -> None:
        """No note, log, result, error or traceback contains a token or a variable's value."""
        self.require(harness, "deploy")
        for _ in self._run_scenarios(harness):
            output = "\n".join(harness.recorder.lines)
            assert not [secret for secret in harness.secrets if secret in output], (
                "a secret was shown"
            )

    def test_no_url_has_a_secret(self, harness: Harness) -> None:
        """No URL contains a token or a variable's value, because servers and proxies log URLs."""
        self.require(harness, "deploy")
        with harness.record_requests() as requests:
            harness.deploy_sample()
        for exchange in requests:
            secrets = [secret for secret in harness.secrets if quote(secret) in exchange.path]
            assert not secrets, f"{exchange.method} has a secret in its path"

    def test_an_error_hides_quoted_values(self, harness: Harness) -> None:
        """An error contains no value of a variable, even if the platform's message repeats it."""
        self.require(harness, "deploy")
        values = list(harness.env.values())
        with contextlib.suppress(MastraError):
            harness.deploy_with_faults(harness.bundle(), _quote_values(values))
        if harness.caller.has_hook("env") and harness.caller.target.stores_env:
            with contextlib.suppress(MastraError), harness.proxy.apply_rule(_quote_values(values)):
                harness.set_variables("production", harness.env)
        quoting = [item for item in harness.proxy.exchanges if item.fault]
        if not quoting:
            pytest.skip("no request has a variable's value in plain text")
        output = "\n".join(harness.recorder.lines)
        assert not [value for value in values if value in output], (
            f"an error repeats a value, which the answer to {quoting[0]} quotes"
        )

    def _run_scenarios(self, harness: Harness) -> Iterator[str]:
        """Call every hook with and without faults, and yield a name for each scenario."""
        bundle = harness.bundle()
        faults = (
            RESET,
            TRUNCATED,
            build_error(500, "broken"),
            build_error(422, "no"),
            build_rate_limit("9999"),
        )
        for start, fault in enumerate(faults):
            with contextlib.suppress(MastraError):
                harness.deploy_with_faults(bundle, fail_from(start, fault))
            yield fault.kind
        harness.platform.reject_changes("no such luck")
        with contextlib.suppress(MastraError):
            harness.deploy(bundle)
        yield "refused"
        harness.platform.clear_faults()
        deployment = harness.deploy(bundle)
        yield "deployed"
        for verb, arguments in self._build_arguments(harness, bundle, deployment.id).items():
            with contextlib.suppress(MastraError):
                harness.call(verb, *arguments)
            with contextlib.suppress(MastraError), harness.proxy.apply_rule(fail_from(0, RESET)):
                harness.call(verb, *arguments)
            yield verb

    @staticmethod
    def _build_arguments(
        harness: Harness, bundle: Bundle, id: str
    ) -> dict[str, tuple[object, ...]]:
        """Return the arguments of every hook of the deployer, by verb."""
        calls: dict[str, tuple[object, ...]] = {
            "plan": (bundle, harness.build_request()),
            "doctor": (),
            "deployments": (10,),
            "promote": (id, harness.recorder),
            "rollback": (id, harness.recorder),
            "destroy": (harness.recorder,),
        }
        return {
            verb: arguments for verb, arguments in calls.items() if harness.caller.has_hook(verb)
        }


def _quote_values(values: Sequence[str]) -> Rule:
    """Return a rule that refuses each request with a secret value, and quotes it in the error."""

    def quote(exchange: Exchange) -> Fault | None:
        found = [value for value in values if value.encode() in exchange.body]
        return build_error(422, f"{found[0]!r} is no valid value") if found else None

    return quote
