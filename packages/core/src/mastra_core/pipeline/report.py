"""How stages tell what they are doing; the terminal is somebody else's."""

from __future__ import annotations

from typing import Protocol

__all__ = ("Report", "Silent")


class Report(Protocol):
    """Progress, for people. Never given anything secret."""

    def step(self, text: str) -> None:
        """A piece of work begins: ``"Resolving dependencies"``."""

    def advance(self, done: int, total: int, unit: str = "B") -> None:
        """How far the present piece of work is."""

    def note(self, text: str, hint: str = "") -> None:
        """Something worth knowing that stops nothing."""


class Silent:
    """A report that tells nobody."""

    def step(self, text: str) -> None:
        """Ignore."""

    def advance(self, done: int, total: int, unit: str = "B") -> None:
        """Ignore."""

    def note(self, text: str, hint: str = "") -> None:
        """Ignore."""
