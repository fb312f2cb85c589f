"""Promises on secrets."""
# ruff: noqa: S101  # a promise is an assertion

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from urllib.parse import quote

from mastra_core.errors import MastraError
from mastra_core.pipeline import Bundle
from mastra_deployer.testing.fault_injection import RESET, TRUNCATED, busy, failing, since
from mastra_deployer.testing.fixtures import Promises
from mastra_deployer.testing.harness import Rig

__all__ = ("Keeping",)


class Keeping(Promises):
    """What is secret stays so, whatever goes wrong."""

    def test_nothing_shown_holds_a_secret(self, rig: Rig) -> None:
        """Progress, notes, logs, answers, errors and tracebacks have no token and no value."""
        self.needs(rig, "deploy")
        for _ in self._lives(rig):
            told = "\n".join(rig.shown.lines)
            assert not [word for word in rig.secrets if word in told], "a secret was shown"

    def test_no_secret_travels_in_an_address(self, rig: Rig) -> None:
        """Addresses are written into logs everywhere: no token and no value is in one."""
        self.needs(rig, "deploy")
        with rig.recorded() as seen:
            rig.deployed()
        for exchange in seen:
            words = [word for word in rig.secrets if quote(word) in exchange.path]
            assert not words, f"{exchange.method} has a secret in its path"

    def _lives(self, rig: Rig) -> Iterator[str]:
        """A deployer's life, good days and bad ones."""
        bundle = rig.bundle()
        faults = (RESET, TRUNCATED, failing(500, "broken"), failing(422, "no"), busy("9999"))
        for begin, fault in enumerate(faults):
            with contextlib.suppress(MastraError):
                rig.attempt(bundle, since(begin, fault))
            yield fault.kind
        rig.platform.refuse("no such luck")
        with contextlib.suppress(MastraError):
            rig.deploy(bundle)
        yield "refused"
        rig.platform.heal()
        made = rig.deploy(bundle)
        yield "deployed"
        for verb, arguments in self._verbs(rig, bundle, made.id).items():
            with contextlib.suppress(MastraError):
                rig.call(verb, *arguments)
            with contextlib.suppress(MastraError), rig.proxy.under(since(0, RESET)):
                rig.call(verb, *arguments)
            yield verb

    @staticmethod
    def _verbs(rig: Rig, bundle: Bundle, id: str) -> dict[str, tuple[object, ...]]:
        verbs: dict[str, tuple[object, ...]] = {
            "plan": (bundle, rig.request()),
            "doctor": (),
            "deployments": (10,),
            "promote": (id, rig.shown),
            "rollback": (id, rig.shown),
            "destroy": (rig.shown,),
        }
        return {verb: given for verb, given in verbs.items() if rig.line.can(verb)}
