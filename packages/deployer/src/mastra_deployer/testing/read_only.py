"""Promises on what only looks: plans, doctors, lists and logs."""
# ruff: noqa: S101  # a promise is an assertion

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from mastra_core.errors import AuthError
from mastra_core.pipeline import LogLine, Plan, Problem
from mastra_deployer.testing.fault_injection import LOST, since
from mastra_deployer.testing.fixtures import Promises
from mastra_deployer.testing.harness import Rig

__all__ = ("Looking",)

_WORDY = 2048  # bytes that announcing may cost, for each file, beside their content


class Looking(Promises):
    """Nothing here changes anything."""

    def test_looking_changes_nothing(self, rig: Rig) -> None:
        """Plans, doctors, lists and logs send reads only, before a deploy and after."""
        looks = self._looks(rig)
        if not looks:
            pytest.skip("the deployer has no hook that looks")
        self._only_reads(rig, looks)
        if rig.line.can("deploy"):
            rig.deployed()
            self._only_reads(rig, looks)

    def test_a_plan_agrees_with_the_deploy(self, rig: Rig) -> None:
        """What a plan says is created and sent is what the deploy creates and sends."""
        self.needs(rig, "plan")
        self.needs(rig, "deploy")
        for change in ("", "", "another"):
            self._agree(rig, change)

    def test_a_healthy_platform_has_no_problem(self, rig: Rig) -> None:
        """The doctor finds no error where a deploy works, an app that is not there included."""
        self.needs(rig, "doctor")
        assert not _errors(rig.call("doctor"))
        if rig.line.can("deploy"):
            rig.deployed()
            assert not _errors(rig.call("doctor"))

    def test_the_doctor_sees_a_refused_token(self, rig: Rig) -> None:
        """A token that is refused is an error of the doctor's, or an AuthError."""
        self.needs(rig, "doctor")
        try:
            found = rig.call("doctor", token="no-such-token-5150")  # noqa: S106  # it is none
        except AuthError:
            return
        assert _errors(found), "the doctor finds nothing wrong with a refused token"

    def test_deployments_are_newest_first_and_one_is_live(self, rig: Rig) -> None:
        """The list begins with the newest, has at most the limit, and tells which is live."""
        self.needs(rig, "deployments")
        self.needs(rig, "deploy")
        made = [rig.deployed(change).id for change in ("1", "2", "3")]
        listed = rig.call("deployments", 10)
        assert [item.id for item in listed][: len(made)] == made[::-1], "newest first"
        live = [item.id for item in listed if item.live and item.environment == "production"]
        assert live == [rig.live().id], "exactly one is live, the one that users see"
        assert [item.created for item in listed] == sorted(
            (item.created for item in listed), reverse=True
        )
        assert [item.id for item in rig.call("deployments", 2)] == made[:0:-1], "at most the limit"

    def test_a_fingerprint_is_that_of_what_is_live(self, rig: Rig) -> None:
        """Kept, it is that of the deploy that users see: one that broke off has left none."""
        self.needs(rig, "deployments")
        self.needs(rig, "deploy")
        bundle = rig.bundle()
        rig.deploy(bundle, fingerprint="first")
        with rig.recorded() as seen:
            rig.deploy(bundle, env=_other(rig, "second"), fingerprint="second")
        assert self._fingerprint(rig) in ("", "second")
        for cut in range(len(seen)):
            mark = f"cut-{cut}"
            env = _other(rig, mark) if rig.line.target.stores_env else {}
            rig.attempt(bundle, since(cut, LOST), env=env, fingerprint=mark)
            if not self.is_whole(rig.live(), bundle, env):
                assert self._fingerprint(rig) != mark, f"it is of a deploy that broke off ({cut})"

    def test_an_app_that_is_not_there_has_no_deployments(self, rig: Rig) -> None:
        """Before the first deploy the list is empty, and no error."""
        self.needs(rig, "deployments")
        assert rig.call("deployments", 10) == []

    def test_the_log_is_told_in_order(self, rig: Rig) -> None:
        """The live app's lines come oldest first; followed, they come until the caller stops."""
        self.needs(rig, "logs", "logs")
        rig.deployed()
        for text in ("first words", "second words"):
            rig.platform.say(text)
        lines = self._lines(rig, follow=False)
        assert all(isinstance(line, LogLine) for line in lines)
        texts = [line.text for line in lines if "words" in line.text]
        assert [text[-12:].strip() for text in texts] == ["first words", "second words"]
        assert self._lines(rig, follow=True, most=len(lines)) == lines

    def _looks(self, rig: Rig) -> dict[str, Callable[[], Any]]:
        """Every call that only looks and that the deployer can."""
        looks: dict[str, Callable[[], Any]] = {
            "plan": lambda: rig.call("plan", rig.bundle(), rig.request()),
            "doctor": lambda: rig.call("doctor"),
            "deployments": lambda: rig.call("deployments", 10),
            "env": lambda: self._variables(rig),
            "logs": lambda: (
                self._lines(rig, follow=False) if rig.platform.live("production") else []
            ),
        }
        return {verb: look for verb, look in looks.items() if rig.line.can(verb)}

    @staticmethod
    def _variables(rig: Rig) -> list[str]:
        store = rig.call("env", "production")
        with rig.watched():
            return list(store.list())

    @staticmethod
    def _lines(rig: Rig, *, follow: bool, most: int | None = None) -> list[LogLine]:
        told = rig.call("logs", "", None, follow=follow)
        with rig.watched(), contextlib.closing(told):
            return list(itertools.islice(told, most))

    @staticmethod
    def _fingerprint(rig: Rig) -> str:
        """Of what is live, as the list has it."""
        listed = rig.call("deployments", 10)
        return next((item.fingerprint for item in listed if item.id == rig.live().id), "")

    def _only_reads(self, rig: Rig, looks: dict[str, Callable[[], Any]]) -> None:
        for verb, look in looks.items():
            things, live = list(rig.platform.things()), rig.platform.live("production")
            with rig.recorded() as seen:
                look()
            assert not [str(item) for item in seen if not self.reads(item)], f"{verb} writes"
            assert list(rig.platform.things()) == things, f"{verb} creates or removes"
            assert rig.platform.live("production") == live, f"{verb} changes what users see"

    def _agree(self, rig: Rig, change: str) -> None:
        bundle, before = rig.bundle(change), len(rig.platform.things())
        plan: Plan = rig.call("plan", bundle, rig.request())
        with rig.recorded() as seen:
            rig.deploy(bundle)
        created = len(rig.platform.things()) - before
        assert plan.creates or not created, f"{created} things were created, and none planned"
        assert created or not plan.creates, f"planned, and not created: {plan.creates}"
        assert set(plan.environment) <= set(rig.env), "variables that nobody asked for"
        if self.incremental:
            bodies = [item.body for item in seen if not self.reads(item)]
            spare = _WORDY * (1 + len(list(bundle.files())))
            assert plan.upload <= sum(map(len, bodies)), "more is planned than was sent"
            once = sum(map(len, set(bodies)))  # what was asked for again counts once
            assert once <= plan.upload + spare, "more was sent than is planned"


def _other(rig: Rig, mark: str) -> dict[str, str]:
    """Other values of the app's variables."""
    return {name: f"{value}-{mark}" for name, value in rig.env.items()}


def _errors(problems: Sequence[Problem]) -> list[Problem]:
    return [problem for problem in problems if problem.severity == "error"]
