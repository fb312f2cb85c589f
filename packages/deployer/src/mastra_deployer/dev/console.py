"""The output of ``mastra dev``: colored on a terminal, and plain elsewhere."""

from __future__ import annotations

import json
import os
import shlex
import sys
import time
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import click

from mastra_core.logs.escape import escape_text
from mastra_deployer.dev.app_error import AppProblem
from mastra_deployer.output.names import format_names
from mastra_deployer.output.wrap import get_terminal_width, wrap_message

__all__ = ("Screen", "format_curl")

_MAX_FILES = 2  # names of changed files in a line; others are counted


class Screen:
    """The output of ``mastra dev``: lines on stderr, or with ``--json`` objects on stdout.

    :param as_json: print JSON objects.
    """

    def __init__(self, *, as_json: bool = False) -> None:
        self._json = as_json

    def step(self, text: str) -> None:
        """Report the start of a step.

        :param text: a description of the step.
        """
        if not self._emit_event("step", message=text):
            self._print_line(self._style(text, dim=True))

    def advance(self, current: int, total: int, unit: str = "B") -> None:
        """Ignore progress of a step.

        :param current: the amount that is done.
        :param total: the amount at the end of the step.
        :param unit: the unit of ``current`` and ``total``.
        """

    def note(self, text: str, hint: str = "") -> None:
        """Print a note, which does not stop the command.

        :param text: the note.
        :param hint: the cure.
        """
        self._show_message("note", "cyan", text, hint)

    def warn(self, text: str, hint: str = "") -> None:
        """Print a warning, which does not stop the command.

        :param text: the warning.
        :param hint: the cure.
        """
        self._show_message("warning", "yellow", text, hint)

    def _show_message(self, kind: str, color: str, text: str, hint: str) -> None:
        if not self._emit_event(kind, message=text, hint=hint):
            label = f"{kind}: "
            self._echo(self._style(label, fg=color), self._wrap(text, hint, label))

    def _wrap(self, text: str, hint: str = "", label: str = "") -> str:
        return wrap_message(text, hint, get_terminal_width(sys.stderr), label=label)

    def show_ready(
        self, name: str, url: str, registry: Mapping[str, Any], seconds: float, token: str = ""
    ) -> None:
        """Print that the first version serves requests.

        :param name: the name of the project.
        :param url: the URL of the app.
        :param registry: the agents, workflows and tools of the app.
        :param seconds: the duration of the start.
        :param token: shell code that inserts the token into the example; empty for none.
        """
        example = format_curl(url, registry["example"], token)
        milliseconds = _to_milliseconds(seconds)
        if self._emit_event("ready", url=url, ms=milliseconds, curl=example, pid=os.getpid()):
            return
        title = self._style("mastra dev", bold=True)
        self._echo(title, f": {name} is ready in {milliseconds} ms")
        self._echo("  ", self._style(url, fg="cyan", bold=True))
        for line in _list_routes(registry):
            self._echo(f"  {line}")
        self._echo(f"  try: {example}")
        if registry["kind"] == "mastra":
            command = format_studio_command(url, _get_api_prefix(registry))
            self._echo(f"  or in a browser: {command}")

    def show_reload(self, names: Collection[str], seconds: float, running: int = 0) -> None:
        """Print that a newer version serves requests.

        :param names: the names of the changed files.
        :param seconds: the duration of the reload.
        :param running: the number of requests that the previous version has to finish.
        """
        milliseconds = _to_milliseconds(seconds)
        files = sorted(names)
        if self._emit_event("reloaded", ms=milliseconds, files=files, running=running):
            return
        label = self._style("reloaded", fg="green")
        self._print_line(label, f" in {milliseconds} ms: {format_names(files, _MAX_FILES)}")
        if running:
            requests = "1 request" if running == 1 else f"{running} requests"
            self._echo(f"  The previous version finishes {requests}.")

    def show_problem(self, problem: AppProblem, url: str, *, has_version: bool) -> None:
        """Print that the saved version does not work.

        :param problem: the problem of the version.
        :param url: the URL of the app.
        :param has_version: whether an earlier version serves.
        """
        location = f"{problem.file}:{problem.line}: " if problem.file else ""
        data = {"message": problem.message, "hint": problem.hint, "file": problem.file}
        if self._emit_event("broken", **data, line=problem.line, kept=has_version, url=url):
            return
        title = self._style("broken", fg="red", bold=True)
        label = f"{time.strftime('%H:%M:%S')} broken: "
        first, *others = problem.message.split("\n")
        self._print_line(title, ": ", self._wrap(f"{location}{first}", label=label))
        for line in others:
            self._echo("  ", line)
        source = dict(problem.code).get(problem.line, "")
        if source:
            self._echo(f"{problem.line:8} | {source}")
        if problem.hint:
            self._echo("  ", self._wrap(problem.hint, label="  "))
        if has_version:
            self._echo(f"  The last working version still serves requests: {url}")
        else:
            self._echo(f"  Every response shows this error: {url}")

    def _emit_event(self, kind: str, **data: Any) -> bool:
        """With ``--json``, print an event; return whether ``--json`` is set."""
        if self._json:
            click.echo(json.dumps({"event": kind, **data}))
        return self._json

    def _print_line(self, *parts: str) -> None:
        timestamp = self._style(time.strftime("%H:%M:%S"), dim=True)
        self._echo(timestamp, " ", *parts)

    def _echo(self, *parts: str) -> None:
        """Print a line, and escape every part that ``_style`` did not return."""
        texts = (part if isinstance(part, _StyledText) else escape_text(part) for part in parts)
        # click removes the colors if the output is not a terminal.
        click.echo("".join(texts), err=True)

    def _style(self, text: str, **styles: Any) -> str:
        text = escape_text(text)
        return text if os.environ.get("NO_COLOR") else _StyledText(click.style(text, **styles))


class _StyledText(str):
    """A text whose escape sequences all come from ``click.style``."""

    __slots__ = ()


def format_curl(url: str, example: Mapping[str, Any], token: str = "") -> str:
    """Return a ``curl`` command that sends a request to the app.

    :param url: the URL of the app.
    :param example: method, path and body of the request.
    :param token: shell code that inserts the token of the request; empty for none.
    """
    command = ["curl", "-s", url + example["path"]]
    if example["method"] != "GET" or example["body"] is not None:
        command += ["-H", "content-type: application/json", "-d", json.dumps(example["body"])]
    header = f' -H "authorization: Bearer {token}"' if token else ""
    return shlex.join(command) + header


def format_studio_command(url: str, prefix: str) -> str:
    """Return a command that serves Studio for the app.

    :param url: the URL of the app.
    :param prefix: path of the app's API.
    """
    return shlex.join(["mastra", "studio", url, *(["--api-prefix", prefix] * (prefix != "/api"))])


def _get_api_prefix(registry: Mapping[str, Any]) -> str:
    prefix: str = registry.get("serve", {}).get("api_prefix", "/api")
    return prefix


def _list_routes(registry: Mapping[str, Any]) -> Sequence[str]:
    if registry["kind"] != "mastra":
        return [f"{methods} {path}" for methods, path in registry["routes"]]
    actions = (("agents", "generate"), ("workflows", "start-async"), ("tools", "execute"))
    prefix = _get_api_prefix(registry)
    return [
        f"POST {prefix}/{kind}/{key}/{action}"
        for kind, action in actions
        for key in registry.get(kind, ())
    ]


def _to_milliseconds(seconds: float) -> int:
    return round(seconds * 1000)
