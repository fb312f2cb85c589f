"""``mastra logs``."""

from __future__ import annotations

import datetime as dt
import json
import re

import click

from mastra_core.errors import ConfigError
from mastra_core.pipeline import LogLine
from mastra_deployer.cli.options import TARGET, Options, target_options
from mastra_deployer.cli.terminal import Terminal

__all__ = ("logs", "moment")

_AGO = re.compile(r"(\d+)([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


@click.command()
@click.argument("id", default="")
@click.option("-f", "--follow", is_flag=True, help="Go on until interrupted.")
@click.option("--since", default="", help="Nothing older: 10m, 2h, 1d, or 2026-01-31T12:00.")
@TARGET
@target_options
def logs(options: Options, target: str, id: str, follow: bool, since: str) -> None:
    """Show the app's log: of the deployment ID, or of what is live in production.

    With --json one object a line.
    """
    with Terminal(as_json=options.as_json) as terminal:
        session = options.platform_session(target, terminal)
        begin = moment(since, dt.datetime.now(dt.UTC)) if since else None
        for line in session.line.logs(session.access, id, begin, follow=follow):
            click.echo(_object(line) if options.as_json else _text(line))


def moment(text: str, now: dt.datetime) -> dt.datetime:
    """``10m`` as so long before ``now``, or an ISO date; local time where it names no zone.

    :raises ConfigError: when it is neither.
    """
    if found := _AGO.fullmatch(text):
        return now - dt.timedelta(seconds=int(found[1]) * _SECONDS[found[2]])
    try:
        return dt.datetime.fromisoformat(text).astimezone()
    except ValueError:
        raise ConfigError(
            f"--since {text!r} is no moment.", "Write 30s, 10m, 2h, 1d, or 2026-01-31T12:00."
        ) from None


def _object(line: LogLine) -> str:
    time = line.time.isoformat() if line.time else None
    return json.dumps({"time": time, "level": line.level, "text": line.text})


def _text(line: LogLine) -> str:
    time = line.time.astimezone().strftime("%Y-%m-%d %H:%M:%S") if line.time else ""
    return " ".join(part for part in (time, line.level, line.text) if part)
