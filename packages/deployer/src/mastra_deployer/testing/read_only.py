"""Test the hooks that only read: plans, doctors, lists and logs."""
# ruff: noqa: S101  # tests assert

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import itertools
import time
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from mastra_core.errors import AuthError, DeployError
from mastra_core.pipeline import LogLine, Plan, Problem
from mastra_deployer.testing.fault_injection import LOST, fail_from
from mastra_deployer.testing.fixtures import SuiteFixtures
from mastra_deployer.testing.harness import Harness

__all__ = ("ReadOnlyTests",)

_CLOCK_STEP = 0.02  # seconds between lines of the log and a bound; platforms count milliseconds
_OVERHEAD = 2048  # bytes of requests for each file, beside its content


class ReadOnlyTests(SuiteFixtures):
    """Hooks that only read change nothing, and report the state of the platform."""

    def test_read_only_hooks_change_nothing(self, harness: Harness) -> None:
        """Plans, doctors, lists and logs only read, both before and after a deploy."""
        calls = self._list_calls(harness)
        if not calls:
            pytest.skip("the deployer has no hook that only reads")
        self._assert_read_only(harness, calls)
        if harness.caller.has_hook("deploy"):
            harness.deploy_sample()
            self._assert_read_only(harness, calls)

    def test_a_plan_matches_the_deploy(self, harness: Harness) -> None:
        """A deploy creates and sends exactly what the plan contains."""
        self.require(harness, "plan")
        self.require(harness, "deploy")
        for change in ("", "", "another"):
            self._compare_plan(harness, change)

    def test_doctor_finds_no_error_on_a_healthy_platform(self, harness: Harness) -> None:
        """If a deploy would succeed, the doctor finds no error, even before the app exists."""
        self.require(harness, "doctor")
        assert not _select_errors(harness.call("doctor"))
        if harness.caller.has_hook("deploy"):
            harness.deploy_sample()
            assert not _select_errors(harness.call("doctor"))

    def test_doctor_reports_a_rejected_token(self, harness: Harness) -> None:
        """For a rejected token, the doctor reports an error or raises AuthError."""
        self.require(harness, "doctor")
        try:
            problems = harness.call("doctor", token="no-such-token-5150")  # noqa: S106  # not a token
        except AuthError:
            return
        assert _select_errors(problems), "the doctor finds nothing wrong with a rejected token"

    def test_deployments_are_newest_first_and_one_is_live(self, harness: Harness) -> None:
        """The newest deployment is first, the limit applies, and the live deployment is marked."""
        self.require(harness, "deployments")
        self.require(harness, "deploy")
        ids = [harness.deploy_sample(change).id for change in ("1", "2", "3")]
        listed = harness.call("deployments", 10)
        assert [item.id for item in listed][: len(ids)] == ids[::-1], "newest first"
        live = [item.id for item in listed if item.live and item.environment == "production"]
        assert live == [harness.get_live().id], "exactly one is live, the one that users see"
        assert [item.created for item in listed] == sorted(
            (item.created for item in listed), reverse=True
        )
        assert [item.id for item in harness.call("deployments", 2)] == ids[:0:-1], (
            "at most the limit"
        )

    def test_deployments_include_previews_and_messages(self, harness: Harness) -> None:
        """The list contains previews, and the message of each deployment's latest deploy."""
        self.require(harness, "deployments")
        self.require(harness, "deploy")
        bundle, stages = harness.bundle("1"), ["production"]
        ids = {"production": harness.deploy(bundle, message="the first words").id}
        if harness.caller.target.previews and self.previews:
            ids["preview"] = harness.deploy(
                harness.bundle("2"), "preview", message="a preview's words"
            ).id
            stages.append("preview")
        listed = {item.id: item for item in harness.call("deployments", 10)}
        for stage in stages:
            assert ids[stage] in listed, f"the list lacks the {stage} deployment"
            assert listed[ids[stage]].environment == stage
        if self.messages:
            assert listed[ids["production"]].message == "the first words", "without its message"
            assert not ids.get("preview") or (
                listed[ids["preview"]].message == "a preview's words"
            ), "the preview is without its message"
            again = harness.deploy(bundle, message="other words").id
            messages = {item.id: item.message for item in harness.call("deployments", 10)}
            assert messages[again] == "other words", "deployed again, it has an old message"

    def test_a_fingerprint_belongs_to_the_live_deployment(self, harness: Harness) -> None:
        """The listed fingerprint belongs to the live deployment, not to an aborted deploy."""
        self.require(harness, "deployments")
        self.require(harness, "deploy")
        bundle = harness.bundle()
        harness.deploy(bundle, fingerprint="first")
        with harness.record_requests() as requests:
            harness.deploy(bundle, env=_change_env(harness, "second"), fingerprint="second")
        assert self._get_fingerprint(harness) in ("", "second")
        for cut in range(len(requests)):
            mark = f"cut-{cut}"
            env = _change_env(harness, mark) if harness.caller.target.stores_env else {}
            harness.deploy_with_faults(bundle, fail_from(cut, LOST), env=env, fingerprint=mark)
            if not self.is_complete(harness.get_live(), bundle, env):
                assert self._get_fingerprint(harness) != mark, f"it is of an aborted deploy ({cut})"

    def test_an_aborted_deploy_leaves_no_fingerprint(self, harness: Harness) -> None:
        """An aborted deploy that is promoted later has a fingerprint only if it is complete."""
        self.require(harness, "deployments")
        self.require(harness, "deploy")
        self.require(harness, "promote")
        harness.deploy_sample()
        with harness.record_requests() as requests:
            harness.deploy(harness.bundle("second"), env=_change_env(harness, "second"))
        for cut in range(len(requests)):
            mark, known = f"cut-{cut}", self._list_ids(harness)
            env = _change_env(harness, mark) if harness.caller.target.stores_env else {}
            bundle = harness.bundle(mark)
            harness.deploy_with_faults(bundle, fail_from(cut, LOST), env=env, fingerprint=mark)
            for name in self._list_ids(harness) - known:
                with contextlib.suppress(DeployError):  # the deployment is not complete
                    harness.call("promote", name, harness.recorder)
            if not self.is_complete(harness.get_live(), bundle, env):
                assert self._get_fingerprint(harness) != mark, f"it is of an aborted deploy ({cut})"

    def test_a_missing_app_has_no_deployments(self, harness: Harness) -> None:
        """Before the first deploy, the list of deployments is empty, and no error is raised."""
        self.require(harness, "deployments")
        assert harness.call("deployments", 10) == []

    def test_logs_without_a_live_deployment_raise(self, harness: Harness) -> None:
        """Before the first deploy, the log of the live deployment raises DeployError."""
        self.require(harness, "logs")
        with self.expect_missing_app("logs"):
            self._read_log(harness, follow=False)

    def test_logs_are_in_order(self, harness: Harness) -> None:
        """Log lines are listed oldest first; a followed log ends when the caller stops reading."""
        self.require(harness, "logs", "logs")
        harness.deploy_sample()
        for text in ("first words", "second words"):
            harness.platform.write_log(text)
        lines = self._read_log(harness, follow=False)
        assert all(isinstance(line, LogLine) for line in lines)
        texts = [line.text for line in lines if "words" in line.text]
        assert [text[-12:].strip() for text in texts] == ["first words", "second words"]
        assert self._read_log(harness, follow=True, limit=len(lines)) == lines

    def test_logs_begin_at_a_time(self, harness: Harness) -> None:
        """With ``since``, no line before that time is listed."""
        self.require(harness, "logs", "logs")
        harness.deploy_sample()
        harness.platform.write_log("early words")
        time.sleep(_CLOCK_STEP)
        since = dt.datetime.now(dt.UTC)
        time.sleep(_CLOCK_STEP)
        harness.platform.write_log("late words")
        texts = [line.text for line in self._read_log(harness, follow=False, since=since)]
        assert not [text for text in texts if "early words" in text], "older lines are listed"
        assert [text for text in texts if "late words" in text], "the lines since then are missing"

    def test_logs_are_of_one_deployment(self, harness: Harness) -> None:
        """A deployment's log contains no lines of another deployment."""
        self.require(harness, "logs", "logs")
        first = harness.deploy_sample("1").id
        harness.platform.write_log("first words")
        second = harness.deploy_sample("2").id
        harness.platform.write_log("second words")
        for name, expected, other in (
            (first, "first words", "second words"),
            (second, "second words", "first words"),
            ("", "second words", "first words"),
        ):
            text = "\n".join(line.text for line in self._read_log(harness, name, follow=False))
            assert expected in text, f"the log of {name or 'the live deployment'} lacks a line"
            assert other not in text, (
                f"the log of {name or 'the live deployment'} has others' lines"
            )

    def _list_calls(self, harness: Harness) -> dict[str, Callable[[], Any]]:
        """Return a call for each hook of the deployer that only reads."""
        calls: dict[str, Callable[[], Any]] = {
            "plan": lambda: harness.call("plan", harness.bundle(), harness.build_request()),
            "doctor": lambda: harness.call("doctor"),
            "deployments": lambda: harness.call("deployments", 10),
            "env": lambda: self._list_variables(harness),
            "logs": lambda: (
                self._read_log(harness, follow=False)
                if harness.platform.get_live("production")
                else []
            ),
        }
        return {hook: call for hook, call in calls.items() if harness.caller.has_hook(hook)}

    @staticmethod
    def _list_variables(harness: Harness) -> list[str]:
        store = harness.call("env", "production")
        with harness.observe_call():
            return list(store.list())

    @staticmethod
    def _read_log(
        harness: Harness,
        id: str = "",
        *,
        follow: bool,
        limit: int | None = None,
        since: dt.datetime | None = None,
    ) -> list[LogLine]:
        lines = harness.call("logs", id, since, follow=follow)
        with harness.observe_call(), contextlib.closing(lines):
            return list(itertools.islice(lines, limit))

    @staticmethod
    def _list_ids(harness: Harness) -> set[str]:
        return {item.id for item in harness.call("deployments", 10)}

    @staticmethod
    def _get_fingerprint(harness: Harness) -> str:
        """Return the fingerprint that the list of deployments has for the live deployment."""
        listed = harness.call("deployments", 10)
        return next((item.fingerprint for item in listed if item.id == harness.get_live().id), "")

    def _assert_read_only(self, harness: Harness, calls: dict[str, Callable[[], Any]]) -> None:
        for verb, call in calls.items():
            resources, live = (
                list(harness.platform.list_resources()),
                harness.platform.get_live("production"),
            )
            with harness.record_requests() as requests:
                call()
            changes = [str(item) for item in requests if not self.is_read(item)]
            assert not changes, f"{verb} writes; if such a request only reads, override is_read"
            assert list(harness.platform.list_resources()) == resources, (
                f"{verb} creates or removes"
            )
            assert harness.platform.get_live("production") == live, f"{verb} changes what users see"

    def _compare_plan(self, harness: Harness, change: str) -> None:
        bundle, before = harness.bundle(change), len(harness.platform.list_resources())
        fingerprint = hashlib.sha256(change.encode()).hexdigest()
        request = harness.build_request(fingerprint=fingerprint)
        plan: Plan = harness.call("plan", bundle, request)
        with harness.record_requests() as requests:
            harness.deploy(bundle, fingerprint=fingerprint)
        created = len(harness.platform.list_resources()) - before
        assert plan.creates or not created, f"{created} resources were created, and none planned"
        assert created or not plan.creates, f"planned, and not created: {plan.creates}"
        assert set(plan.environment) <= set(harness.env), "the plan has variables of no request"
        if self.incremental:
            bodies = [item.body for item in requests if not self.is_read(item)]
            tolerance = _OVERHEAD * (1 + len(list(bundle.iter_files())))
            assert plan.upload <= sum(map(len, bodies)), "more is planned than was sent"
            distinct = sum(map(len, set(bodies)))  # a repeated request counts once
            assert distinct <= plan.upload + tolerance, "more was sent than is planned"


def _change_env(harness: Harness, mark: str) -> dict[str, str]:
    """Return the app's variables, with a mark at the end of each value."""
    return {name: f"{value}-{mark}" for name, value in harness.env.items()}


def _select_errors(problems: Sequence[Problem]) -> list[Problem]:
    return [problem for problem in problems if problem.severity == "error"]
