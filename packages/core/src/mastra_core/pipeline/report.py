"""The protocol through which the stages report their progress."""

from __future__ import annotations

from typing import Protocol

from mastra_core.override import override

__all__ = ("Report", "SilentReport")


class Report(Protocol):
    """A progress report for people; it never contains secrets."""

    def step(self, text: str) -> None:
        """Report the beginning of a piece of work.

        :param text: a description of the work that begins: ``"Resolving dependencies"``.
        """

    def advance(self, current: int, total: int, unit: str = "B") -> None:
        """Report the progress of the current piece of work.

        :param current: the amount that is finished.
        :param total: the amount of the whole work.
        :param unit: ``B`` for bytes, or a noun.
        """

    def note(self, text: str, hint: str = "") -> None:
        """Report useful information that does not stop the command.

        :param text: one sentence.
        :param hint: what the user can do about it.
        """

    def warn(self, text: str, hint: str = "") -> None:
        """Report a problem that does not stop the command, but may make the app fail later.

        :param text: one sentence.
        :param hint: what the user can do about it.
        """


class SilentReport(Report):
    """A report that ignores everything."""

    @override
    def step(self, text: str) -> None: ...

    @override
    def advance(self, current: int, total: int, unit: str = "B") -> None: ...

    @override
    def note(self, text: str, hint: str = "") -> None: ...

    @override
    def warn(self, text: str, hint: str = "") -> None: ...
