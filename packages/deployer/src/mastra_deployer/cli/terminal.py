"""Progress on stderr, results on stdout. The only file that draws."""

from __future__ import annotations

import json
import logging
import sys
import time
from types import TracebackType
from typing import Any, Self

import click

from mastra_deployer.cli.progress import Progress

__all__ = ("Terminal",)


class Terminal:
    """Tells a person how the work goes: a spinner on a terminal, plain lines elsewhere.

    :param as_json: the answer is one JSON object; progress is then left out.
    """

    def __init__(self, *, as_json: bool = False) -> None:
        self._json = as_json
        self._notes: list[dict[str, str]] = []
        self._started = time.monotonic()
        self._progress = Progress("")
        self._status: Any = None

    def __enter__(self) -> Self:
        # A library's warning that it tries again is not for people; without a handler it is shown.
        logging.getLogger().addHandler(logging.NullHandler())
        if sys.stderr.isatty() and not self._json:
            from rich.console import Console  # loaded only to draw

            self._status = Console(stderr=True).status("Starting")
            self._status.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._status is not None:
            self._status.stop()

    def step(self, text: str) -> None:
        """A piece of work begins."""
        self._progress = Progress(text)
        if self._status is not None:
            self._status.update(text)
        elif not self._json:
            self._line(text)

    def advance(self, done: int, total: int, unit: str = "B") -> None:
        """How far it is: drawn over and over on a terminal, a line each quarter elsewhere."""
        words = self._progress.words(done, total, unit)
        if self._status is not None:
            self._status.update(words)
        elif self._progress.passed_a_quarter(done, total) and not self._json:
            self._line(words)

    def _line(self, text: str) -> None:
        click.echo(f"[{time.monotonic() - self._started:5.1f}s] {text}", err=True)

    def note(self, text: str, hint: str = "") -> None:
        """Something worth knowing that stops nothing."""
        self._notes.append({"message": text, "hint": hint})
        if not self._json:
            click.secho("note: ", fg="yellow", err=True, nl=False)
            click.echo(f"{text}\n  {hint}" if hint else text, err=True)

    def answer(self, result: dict[str, Any], *lines: str) -> None:
        """The result of the command: an object for machines, or lines for people."""
        if self._status is not None:
            self._status.stop()
        if self._json:
            click.echo(json.dumps({"ok": True, **result, "notes": self._notes}))
        else:
            click.echo("\n".join(lines))
