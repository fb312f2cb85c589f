"""Print progress to stderr and results to stdout."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sys
import time
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Self

import click

from mastra_core.logs.escape import escape_line, escape_text
from mastra_deployer.cli.progress import Progress
from mastra_deployer.output.masking import mask
from mastra_deployer.output.wrap import get_terminal_width, wrap_message
from mastra_deployer.trust.trust_store import change_trust

__all__ = ("Terminal", "print_message")


class Terminal:
    """The output of a command: a spinner on a terminal, and plain lines elsewhere.

    :param as_json: print one JSON object as the result, and no progress.
    """

    def __init__(self, *, as_json: bool = False) -> None:
        self._json = as_json
        self._notes: list[dict[str, str]] = []
        self._started = time.monotonic()
        self._progress = Progress("")
        self._status: Any = None

    def __enter__(self) -> Self:
        # Python prints warnings of libraries where no handler is installed; retries log some.
        logging.getLogger().addHandler(logging.NullHandler())
        if sys.stderr.isatty() and not self._json:
            from rich.console import Console  # loaded only for a spinner

            self._status = Console(stderr=True).status("Starting")
            self._status.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end_status()
        if error is not None and self._json:
            error.command_notes = self._notes  # type: ignore[attr-defined]  # printed with the error

    def step(self, text: str) -> None:
        """Report the start of a step.

        :param text: a description of the step.
        """
        self._progress = Progress(text)
        if self._status is not None:
            self._update_status(text)
        elif not self._json:
            self._print_line(text)

    def advance(self, current: int, total: int, unit: str = "B") -> None:
        """Report the progress of a step; without a terminal, print a line at each quarter.

        :param current: the amount that is done.
        :param total: the amount at the end of the step.
        :param unit: the unit of ``current`` and ``total``; ``B`` for bytes.
        """
        text = self._progress.format(current, total, unit)
        if self._status is not None:
            self._update_status(text)
        elif self._progress.reaches_quarter(current, total) and not self._json:
            self._print_line(text)

    def _print_line(self, text: str) -> None:
        elapsed = time.monotonic() - self._started
        click.echo(f"[{elapsed:5.1f}s] {escape_line(mask(text))}", err=True)

    def _update_status(self, text: str) -> None:
        from rich.text import Text  # a plain string would be read as markup

        self._status.update(Text(escape_line(mask(text))))

    def note(self, text: str, hint: str = "") -> None:
        """Print a note, which does not stop the command.

        :param text: the note.
        :param hint: the cure.
        """
        self._print_message("note", "cyan", text, hint)

    def warn(self, text: str, hint: str = "") -> None:
        """Print a warning about a problem that probably makes the app fail later.

        :param text: the warning.
        :param hint: the cure.
        """
        self._print_message("warning", "yellow", text, hint)

    def _print_message(self, severity: str, color: str, text: str, hint: str) -> None:
        text, hint = mask(text), mask(hint)
        self._notes.append({"severity": severity, "message": text, "hint": hint})
        if not self._json:
            with self._hide_status():
                print_message(severity, color, text, hint)

    def confirm_host(self, host: str, setting: str) -> bool:
        """Ask whether credentials may be sent to a host, and store the consent.

        :param host: the host.
        :param setting: the setting of the project that names the host.
        :returns: the answer; ``False`` without a terminal, or with ``--json``.
        """
        if self._json or not (sys.stdin.isatty() and sys.stderr.isatty()):
            return False
        setting = escape_line(setting)
        question = f"The project's files name the host {host} ({setting}). Send credentials to it?"
        with self._hide_status():
            is_trusted = click.confirm(question, err=True)
        if is_trusted:
            with change_trust() as store:
                store.hosts.append(host)
        return is_trusted

    def ask_secret(self, question: str) -> str:
        """Ask for a value that the terminal does not show.

        :param question: what to ask for.
        """
        with self._hide_status():
            value: str = click.prompt(question, hide_input=True, err=True)
            return value

    def write_line(self, text: str) -> None:
        """Print one line of a result that arrives line by line, and end the spinner.

        :param text: the line, which is safe to print.
        """
        self._end_status()
        click.echo(text)

    def answer(self, result: dict[str, Any], *lines: str) -> None:
        """Print the result of the command.

        :param result: the JSON object for ``--json``.
        :param lines: the text for people.
        """
        self._end_status()
        if self._json:
            click.echo(json.dumps({"ok": True, **result, "notes": self._notes}))
        else:
            click.echo("\n".join(map(escape_line, lines)))

    def _end_status(self) -> None:
        if self._status is not None:
            self._status.stop()
            self._status = None

    @contextlib.contextmanager
    def _hide_status(self) -> Iterator[None]:
        """Remove the spinner from its line while something else is printed."""
        if self._status is not None:
            self._status.stop()
        try:
            yield
        finally:
            if self._status is not None:
                self._status.start()


def print_message(severity: str, color: str, text: str, hint: str) -> None:
    """Print a message and its hint to stderr; on a terminal, wrap them at words.

    :param severity: the word before the message, such as ``warning``.
    :param color: the color of the severity.
    :param text: the message.
    :param hint: the cure; may be empty.
    """
    label = f"{severity}: "
    width = get_terminal_width(sys.stderr)
    plain = bool(os.environ.get("NO_COLOR"))
    shown = label if plain else click.style(label, fg=color, bold=severity == "error")
    click.echo(shown, err=True, nl=False)
    message = wrap_message(escape_text(text), escape_text(hint), width, label=label)
    click.echo(message, err=True)
