"""``mastra logs``."""

from __future__ import annotations

import datetime as dt
import json
import re
import sys

import click

from mastra_core.errors import ConfigError
from mastra_core.logs.escape import escape_text
from mastra_core.pipeline import LogLine
from mastra_deployer.cli.options import TARGET, Options, target_options
from mastra_deployer.cli.terminal import Terminal
from mastra_deployer.output.masking import mask
from mastra_deployer.project.termination import INTERRUPTS, get_exit_code

__all__ = ("logs", "parse_time")

_AGO = re.compile(r"(\d+)([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


@click.command()
@click.argument("id", default="")
@click.option("-f", "--follow", is_flag=True, help="Follow the log until Ctrl-C.")
@click.option(
    "--since", default="", help="Show lines since this time: 10m, 2h, 1d, or 2026-01-31T12:00."
)
@TARGET
@target_options
def logs(options: Options, target: str, id: str, follow: bool, since: str) -> None:
    """Show the log of the deployment ID or, without ID, of the live deployment in production.

    With --json, each line is a JSON object.
    """
    with Terminal(as_json=options.as_json) as terminal:
        session = options.platform_session(target, terminal, "logs")
        begin = parse_time(since, dt.datetime.now(dt.UTC)) if since else None
        try:
            for line in session.hooks.iter_logs(session.access, id, begin, follow=follow):
                text = _to_json(line) if options.as_json else escape_text(_format_line(line))
                terminal.write_line(text)
        except INTERRUPTS as interrupt:
            sys.exit(get_exit_code(interrupt))  # with --json, the output has only lines of the log


def parse_time(text: str, now: dt.datetime) -> dt.datetime:
    """Parse ``--since``: an age such as ``10m``, or an ISO date, by default in local time.

    :param text: the value of ``--since``.
    :param now: the current time, from which an age is subtracted.
    :raises ConfigError: when the text is neither an age nor a date.
    """
    try:
        if found := _AGO.fullmatch(text):
            return now - dt.timedelta(seconds=int(found[1]) * _SECONDS[found[2]])
        return dt.datetime.fromisoformat(text).astimezone()
    except (ValueError, OverflowError):  # the second for a time before the year 1
        raise ConfigError(
            f"--since {text!r} is not a time.", "Write 30s, 10m, 2h, 1d, or 2026-01-31T12:00."
        ) from None


def _to_json(line: LogLine) -> str:
    time = line.time.isoformat() if line.time else None
    return json.dumps({"time": time, "level": mask(line.level), "text": mask(line.text)})


def _format_line(line: LogLine) -> str:
    time = line.time.astimezone().strftime("%Y-%m-%d %H:%M:%S") if line.time else ""
    return " ".join(part for part in (time, mask(line.level), mask(line.text)) if part)
