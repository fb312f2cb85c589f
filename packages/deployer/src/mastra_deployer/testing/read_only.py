"""Tests of hooks that only read: plans, doctors, lists and logs."""
# ruff: noqa: S101  # tests assert

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from mastra_core.errors import AuthError
from mastra_core.pipeline import LogLine, Plan, Problem
from mastra_deployer.testing.fault_injection import LOST, fail_from
from mastra_deployer.testing.fixtures import SuiteFixtures
from mastra_deployer.testing.harness import Rig

__all__ = ("ReadOnlyTests",)

_OVERHEAD = 2048  # bytes of requests for each file, beside its content


class ReadOnlyTests(SuiteFixtures):
    """Hooks that only read change nothing and report the platform's state."""

    def test_read_only_hooks_change_nothing(self, rig: Rig) -> None:
        """Plans, doctors, lists and logs send reads only, before a deploy and after."""
        calls = self._list_calls(rig)
        if not calls:
            pytest.skip("the deployer has no hook that only reads")
        self._assert_read_only(rig, calls)
        if rig.caller.can("deploy"):
            rig.deploy_sample()
            self._assert_read_only(rig, calls)

    def test_a_plan_matches_the_deploy(self, rig: Rig) -> None:
        """A deploy creates and sends what the plan announces."""
        self.needs(rig, "plan")
        self.needs(rig, "deploy")
        for change in ("", "", "another"):
            self._compare_plan(rig, change)

    def test_doctor_finds_no_error_on_a_healthy_platform(self, rig: Rig) -> None:
        """The doctor finds no error where a deploy works, also before the app exists."""
        self.needs(rig, "doctor")
        assert not _select_errors(rig.call("doctor"))
        if rig.caller.can("deploy"):
            rig.deploy_sample()
            assert not _select_errors(rig.call("doctor"))

    def test_doctor_reports_a_rejected_token(self, rig: Rig) -> None:
        """For a rejected token the doctor reports an error, or raises AuthError."""
        self.needs(rig, "doctor")
        try:
            problems = rig.call("doctor", token="no-such-token-5150")  # noqa: S106  # not a token
        except AuthError:
            return
        assert _select_errors(problems), "the doctor finds nothing wrong with a rejected token"

    def test_deployments_are_newest_first_and_one_is_live(self, rig: Rig) -> None:
        """The list begins with the newest, has at most the limit, and marks the live one."""
        self.needs(rig, "deployments")
        self.needs(rig, "deploy")
        ids = [rig.deploy_sample(change).id for change in ("1", "2", "3")]
        listed = rig.call("deployments", 10)
        assert [item.id for item in listed][: len(ids)] == ids[::-1], "newest first"
        live = [item.id for item in listed if item.live and item.environment == "production"]
        assert live == [rig.get_live().id], "exactly one is live, the one that users see"
        assert [item.created for item in listed] == sorted(
            (item.created for item in listed), reverse=True
        )
        assert [item.id for item in rig.call("deployments", 2)] == ids[:0:-1], "at most the limit"

    def test_a_fingerprint_belongs_to_the_live_deployment(self, rig: Rig) -> None:
        """The listed fingerprint is that of the live deployment, not of an aborted deploy."""
        self.needs(rig, "deployments")
        self.needs(rig, "deploy")
        bundle = rig.bundle()
        rig.deploy(bundle, fingerprint="first")
        with rig.record_requests() as requests:
            rig.deploy(bundle, env=_change_env(rig, "second"), fingerprint="second")
        assert self._get_fingerprint(rig) in ("", "second")
        for cut in range(len(requests)):
            mark = f"cut-{cut}"
            env = _change_env(rig, mark) if rig.caller.target.stores_env else {}
            rig.deploy_with_faults(bundle, fail_from(cut, LOST), env=env, fingerprint=mark)
            if not self.is_whole(rig.get_live(), bundle, env):
                assert self._get_fingerprint(rig) != mark, f"it is of an aborted deploy ({cut})"

    def test_a_missing_app_has_no_deployments(self, rig: Rig) -> None:
        """Before the first deploy the list is empty, without an error."""
        self.needs(rig, "deployments")
        assert rig.call("deployments", 10) == []

    def test_logs_are_in_order(self, rig: Rig) -> None:
        """The live app's lines are listed oldest first; following ends when the caller stops."""
        self.needs(rig, "logs", "logs")
        rig.deploy_sample()
        for text in ("first words", "second words"):
            rig.platform.say(text)
        lines = self._read_log(rig, follow=False)
        assert all(isinstance(line, LogLine) for line in lines)
        texts = [line.text for line in lines if "words" in line.text]
        assert [text[-12:].strip() for text in texts] == ["first words", "second words"]
        assert self._read_log(rig, follow=True, limit=len(lines)) == lines

    def _list_calls(self, rig: Rig) -> dict[str, Callable[[], Any]]:
        """Return a call of every hook that only reads and that the deployer has."""
        calls: dict[str, Callable[[], Any]] = {
            "plan": lambda: rig.call("plan", rig.bundle(), rig.build_request()),
            "doctor": lambda: rig.call("doctor"),
            "deployments": lambda: rig.call("deployments", 10),
            "env": lambda: self._list_variables(rig),
            "logs": lambda: (
                self._read_log(rig, follow=False) if rig.platform.live("production") else []
            ),
        }
        return {verb: call for verb, call in calls.items() if rig.caller.can(verb)}

    @staticmethod
    def _list_variables(rig: Rig) -> list[str]:
        store = rig.call("env", "production")
        with rig.observe_call():
            return list(store.list())

    @staticmethod
    def _read_log(rig: Rig, *, follow: bool, limit: int | None = None) -> list[LogLine]:
        lines = rig.call("logs", "", None, follow=follow)
        with rig.observe_call(), contextlib.closing(lines):
            return list(itertools.islice(lines, limit))

    @staticmethod
    def _get_fingerprint(rig: Rig) -> str:
        """Return the fingerprint that the list has for the live deployment."""
        listed = rig.call("deployments", 10)
        return next((item.fingerprint for item in listed if item.id == rig.get_live().id), "")

    def _assert_read_only(self, rig: Rig, calls: dict[str, Callable[[], Any]]) -> None:
        for verb, call in calls.items():
            resources, live = list(rig.platform.things()), rig.platform.live("production")
            with rig.record_requests() as requests:
                call()
            assert not [str(item) for item in requests if not self.reads(item)], f"{verb} writes"
            assert list(rig.platform.things()) == resources, f"{verb} creates or removes"
            assert rig.platform.live("production") == live, f"{verb} changes what users see"

    def _compare_plan(self, rig: Rig, change: str) -> None:
        bundle, before = rig.bundle(change), len(rig.platform.things())
        plan: Plan = rig.call("plan", bundle, rig.build_request())
        with rig.record_requests() as requests:
            rig.deploy(bundle)
        created = len(rig.platform.things()) - before
        assert plan.creates or not created, f"{created} resources were created, and none planned"
        assert created or not plan.creates, f"planned, and not created: {plan.creates}"
        assert set(plan.environment) <= set(rig.env), "the plan has variables of no request"
        if self.incremental:
            bodies = [item.body for item in requests if not self.reads(item)]
            tolerance = _OVERHEAD * (1 + len(list(bundle.files())))
            assert plan.upload <= sum(map(len, bodies)), "more is planned than was sent"
            distinct = sum(map(len, set(bodies)))  # a repeated request counts once
            assert distinct <= plan.upload + tolerance, "more was sent than is planned"


def _change_env(rig: Rig, mark: str) -> dict[str, str]:
    """Return other values of the app's variables."""
    return {name: f"{value}-{mark}" for name, value in rig.env.items()}


def _select_errors(problems: Sequence[Problem]) -> list[Problem]:
    return [problem for problem in problems if problem.severity == "error"]
