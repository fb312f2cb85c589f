"""What ``mastra dev`` says on the terminal: in colour there, plainly elsewhere."""

from __future__ import annotations

import json
import os
import re
import shlex
import time
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import click

from mastra_deployer.dev.app_error import Problem

__all__ = ("Screen", "curl")

_NAMED = 2  # changed files named in a line; of more, the number
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


class Screen:
    """Lines on stderr, beside the app's own; with ``--json``, an object for each on stdout."""

    def __init__(self, *, as_json: bool = False) -> None:
        self._json = as_json

    def step(self, text: str) -> None:
        """A piece of work begins."""
        if not self._event("step", message=text):
            self._line(text, dim=True)

    def advance(self, done: int, total: int, unit: str = "B") -> None:
        """How far it is, which is not shown here."""

    def note(self, text: str, hint: str = "") -> None:
        """Something worth knowing that stops nothing."""
        if not self._event("note", message=text, hint=hint):
            self._echo(self._style("note: ", fg="yellow") + text)
            if hint:
                self._echo(f"  {hint}")

    def ready(self, name: str, url: str, registry: Mapping[str, Any], seconds: float) -> None:
        """The first version serves."""
        example = curl(url, registry["example"])
        took = _milliseconds(seconds)
        if self._event("ready", url=url, ms=took, curl=example, pid=os.getpid()):
            return
        self._echo(f"{self._style('mastra dev', bold=True)}: {name} is ready in {took} ms")
        self._echo(f"  {self._style(url, fg='cyan', bold=True)}")
        for line in _served(registry):
            self._echo(f"  {line}")
        self._echo(f"  try: {example}")
        if registry["kind"] == "mastra":
            self._echo(f"  or in a browser: {studio(url, _prefix(registry))}")

    def reloaded(self, names: Collection[str], seconds: float) -> None:
        """A newer version serves."""
        took = _milliseconds(seconds)
        if not self._event("reloaded", ms=took, files=sorted(names)):
            self._line(f"{self._style('reloaded', fg='green')} in {took} ms: {_files(names)}")

    def broken(self, problem: Problem, url: str, *, kept: bool) -> None:
        """What was saved does not work."""
        where = f"{problem.file}:{problem.line}: " if problem.file else ""
        message = _CONTROL.sub("?", problem.message)
        told = {"message": message, "hint": problem.hint, "file": problem.file}
        if self._event("broken", **told, line=problem.line, kept=kept, url=url):
            return
        self._line(f"{self._style('broken', fg='red', bold=True)}: {where}{message}")
        source = dict(problem.code).get(problem.line, "")
        if source:
            self._echo(f"{problem.line:8} | {_CONTROL.sub('?', source)}")
        if problem.hint:
            self._echo(f"  {problem.hint}")
        rest = "the last good version answers" if kept else "nothing answers but this error"
        self._echo(f"  Until it is mended, {rest}: {url}")

    def _event(self, kind: str, **what: Any) -> bool:
        if self._json:
            click.echo(json.dumps({"event": kind, **what}))
        return self._json

    def _line(self, text: str, *, dim: bool = False) -> None:
        moment = self._style(time.strftime("%H:%M:%S"), dim=True)
        self._echo(f"{moment} {self._style(text, dim=True) if dim else text}")

    def _echo(self, text: str) -> None:
        # Off a terminal click itself takes the colours out.
        click.echo(text, err=True)

    def _style(self, text: str, **how: Any) -> str:
        return text if os.environ.get("NO_COLOR") else click.style(text, **how)


def curl(url: str, example: Mapping[str, Any]) -> str:
    """A command line that makes a request of the app."""
    words = ["curl", "-s", url + example["path"]]
    if example["method"] != "GET" or example["body"] is not None:
        words += ["-H", "content-type: application/json", "-d", json.dumps(example["body"])]
    return shlex.join(words)


def studio(url: str, prefix: str) -> str:
    """A command line that opens Studio on the app."""
    return shlex.join(["mastra", "studio", url, *(["--api-prefix", prefix] * (prefix != "/api"))])


def _prefix(registry: Mapping[str, Any]) -> str:
    prefix: str = registry.get("serve", {}).get("api_prefix", "/api")
    return prefix


def _served(registry: Mapping[str, Any]) -> Sequence[str]:
    if registry["kind"] != "mastra":
        return [f"{methods} {path}" for methods, path in registry["routes"]]
    shapes = (("agents", "generate"), ("workflows", "start-async"), ("tools", "execute"))
    prefix = _prefix(registry)
    return [
        f"POST {prefix}/{what}/{key}/{verb}"
        for what, verb in shapes
        for key in registry.get(what, ())
    ]


def _files(names: Collection[str]) -> str:
    first = sorted(names)[:_NAMED]
    more = len(names) - len(first)
    return ", ".join(first) + (f" and {more} more" if more else "")


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)
