"""Tests of two deploys at once."""
# ruff: noqa: S101  # tests assert

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import NamedTuple

from mastra_core.errors import DeployError
from mastra_core.pipeline import Bundle
from mastra_deployer.testing.fault_injection import Exchange
from mastra_deployer.testing.fixtures import SuiteFixtures
from mastra_deployer.testing.harness import Harness

__all__ = ("ConcurrentDeployTests",)


class _Version(NamedTuple):
    """A bundle and its variables."""

    bundle: Bundle
    env: Mapping[str, str]


class ConcurrentDeployTests(SuiteFixtures):
    """Deploys of two people or two pipelines do not mix."""

    def test_concurrent_deploys_do_not_mix(self, harness: Harness) -> None:
        """If two deploys run at once, one of them is live and complete, with its own variables."""
        self.require(harness, "deploy")
        bundles = harness.bundle("one"), harness.bundle("two")
        with harness.record_requests() as requests:
            harness.deploy(harness.bundle("before"))
        for index in range(sum(not self.is_read(item) for item in requests)):
            one, two = (
                _Version(bundle, _mark_values(harness, f"{name}-{index}"))
                for name, bundle in zip(("one", "two"), bundles, strict=True)
            )
            errors = self._deploy_at_once(harness, index, one, two)
            live = harness.get_live()
            assert any(self.is_complete(live, *version) for version in (one, two)), (
                "the files of one deploy are live with the variables of another, or in part "
                f"(the other deploy ran before change {index}; errors: {errors})"
            )

    def _deploy_at_once(
        self, harness: Harness, index: int, one: _Version, two: _Version
    ) -> list[str]:
        """Deploy ``one``; before its change number ``index``, deploy ``two`` from start to end."""
        changes, errors = itertools.count(), list[str]()

        def deploy(version: _Version) -> None:
            try:
                harness.deploy(version.bundle, env=version.env)
            except DeployError as error:
                errors.append(str(error))

        def deploy_other(exchange: Exchange) -> None:
            if not self.is_read(exchange) and next(changes) == index:
                deploy(two)

        with harness.proxy.apply_rule(deploy_other):
            deploy(one)
        return errors


def _mark_values(harness: Harness, mark: str) -> dict[str, str]:
    """Return the app's variables with marked values; empty if the platform stores none."""
    values = harness.env if harness.caller.target.stores_env else {}
    return {name: f"{value}-{mark}" for name, value in values.items()}
