"""The protocol by which the stages report progress; the terminal's implementation is elsewhere."""

from __future__ import annotations

from typing import Protocol

__all__ = ("Report", "SilentReport")


class Report(Protocol):
    """Progress for people; it never receives secrets."""

    def step(self, text: str) -> None:
        """Report that a piece of work begins.

        :param text: what begins: ``"Resolving dependencies"``.
        """

    def advance(self, done: int, total: int, unit: str = "B") -> None:
        """Report the progress of the current piece of work.

        :param done: the finished amount.
        :param total: the whole amount.
        :param unit: ``B`` for bytes, or a noun.
        """

    def note(self, text: str, hint: str = "") -> None:
        """Report something that is worth knowing and stops nothing.

        :param text: one sentence.
        :param hint: what the user may do.
        """

    def warn(self, text: str, hint: str = "") -> None:
        """Report something that stops nothing now, and probably makes the app fail later.

        :param text: one sentence.
        :param hint: what the user may do.
        """


class SilentReport:
    """A report that ignores everything."""

    def step(self, text: str) -> None:
        """Ignore the step.

        :param text: what begins.
        """

    def advance(self, done: int, total: int, unit: str = "B") -> None:
        """Ignore the progress.

        :param done: the finished amount.
        :param total: the whole amount.
        :param unit: ``B`` for bytes, or a noun.
        """

    def note(self, text: str, hint: str = "") -> None:
        """Ignore the note.

        :param text: one sentence.
        :param hint: what the user may do.
        """

    def warn(self, text: str, hint: str = "") -> None:
        """Ignore the warning.

        :param text: one sentence.
        :param hint: what the user may do.
        """
