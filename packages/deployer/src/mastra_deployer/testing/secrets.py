"""Tests of secrets: no output and no URL has one."""
# ruff: noqa: S101  # tests assert

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from urllib.parse import quote

from mastra_core.errors import MastraError
from mastra_core.pipeline import Bundle
from mastra_deployer.testing.fault_injection import (
    RESET,
    TRUNCATED,
    build_error,
    build_rate_limit,
    fail_from,
)
from mastra_deployer.testing.fixtures import SuiteFixtures
from mastra_deployer.testing.harness import Rig

__all__ = ("SecretTests",)


class SecretTests(SuiteFixtures):
    """No secret is exposed, also when requests fail."""

    def test_no_output_has_a_secret(self, rig: Rig) -> None:
        """Progress, notes, logs, results, errors and tracebacks have no token and no value."""
        self.needs(rig, "deploy")
        for _ in self._run_scenarios(rig):
            output = "\n".join(rig.recorder.lines)
            assert not [secret for secret in rig.secrets if secret in output], "a secret was shown"

    def test_no_url_has_a_secret(self, rig: Rig) -> None:
        """No token and no value is in a URL: servers and proxies log URLs."""
        self.needs(rig, "deploy")
        with rig.record_requests() as requests:
            rig.deploy_sample()
        for exchange in requests:
            secrets = [secret for secret in rig.secrets if quote(secret) in exchange.path]
            assert not secrets, f"{exchange.method} has a secret in its path"

    def _run_scenarios(self, rig: Rig) -> Iterator[str]:
        """Call every hook, with and without faults, and yield a name for each scenario."""
        bundle = rig.bundle()
        faults = (
            RESET,
            TRUNCATED,
            build_error(500, "broken"),
            build_error(422, "no"),
            build_rate_limit("9999"),
        )
        for start, fault in enumerate(faults):
            with contextlib.suppress(MastraError):
                rig.deploy_with_faults(bundle, fail_from(start, fault))
            yield fault.kind
        rig.platform.refuse("no such luck")
        with contextlib.suppress(MastraError):
            rig.deploy(bundle)
        yield "refused"
        rig.platform.heal()
        deployment = rig.deploy(bundle)
        yield "deployed"
        for verb, arguments in self._build_arguments(rig, bundle, deployment.id).items():
            with contextlib.suppress(MastraError):
                rig.call(verb, *arguments)
            with contextlib.suppress(MastraError), rig.proxy.apply_rule(fail_from(0, RESET)):
                rig.call(verb, *arguments)
            yield verb

    @staticmethod
    def _build_arguments(rig: Rig, bundle: Bundle, id: str) -> dict[str, tuple[object, ...]]:
        """Return the arguments of every hook that the deployer has."""
        calls: dict[str, tuple[object, ...]] = {
            "plan": (bundle, rig.build_request()),
            "doctor": (),
            "deployments": (10,),
            "promote": (id, rig.recorder),
            "rollback": (id, rig.recorder),
            "destroy": (rig.recorder,),
        }
        return {verb: arguments for verb, arguments in calls.items() if rig.caller.can(verb)}
