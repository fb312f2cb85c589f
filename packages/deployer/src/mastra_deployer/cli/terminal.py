"""Progress on stderr, results on stdout. The only file that draws."""

from __future__ import annotations

import json
import sys
import time
from types import TracebackType
from typing import Any, Self

import click

__all__ = ("Terminal", "human_bytes")


class Terminal:
    """Tells a person how the work goes: a spinner on a terminal, plain lines elsewhere.

    :param as_json: the answer is one JSON object; progress is then left out.
    """

    def __init__(self, *, as_json: bool = False) -> None:
        self._json = as_json
        self._notes: list[dict[str, str]] = []
        self._started = time.monotonic()
        self._status: Any = None

    def __enter__(self) -> Self:
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
        if self._status is not None:
            self._status.update(text)
        elif not self._json:
            click.echo(f"[{time.monotonic() - self._started:5.1f}s] {text}", err=True)

    def advance(self, done: int, total: int, unit: str = "B") -> None:
        """How far it is; drawn on a terminal only, where a line can be written over."""
        if self._status is not None:
            shown = human_bytes(done) if unit == "B" else f"{done} {unit}"
            of = human_bytes(total) if unit == "B" else str(total)
            self._status.update(f"{shown} of {of}")

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


def human_bytes(count: int) -> str:
    """Bytes as megabytes or kilobytes of a thousand."""
    return f"{count / 1e6:.1f} MB" if count >= 100_000 else f"{count / 1e3:.1f} kB"  # noqa: PLR2004  # 0.1 MB
