"""Command line options and output that every benchmark script shares."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any


def create_parser(description: str, quick: str) -> argparse.ArgumentParser:
    """Return a parser with `--quick` and `--json`.

    :param description: one sentence about the script.
    :param quick: what `--quick` reduces.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--quick", action="store_true", help=quick)
    parser.add_argument("--json", metavar="FILE", type=Path, help="write every sample to FILE")
    return parser


def add_wheels_option(parser: argparse.ArgumentParser) -> None:
    text = "use this project's wheels in DIR instead of building them"
    parser.add_argument("--wheels", metavar="DIR", type=Path, help=text)


def write_json(path: Path | None, data: Any) -> None:
    """Write ``data`` where `--json` was given."""
    if path is not None:
        path.write_text(json.dumps(data, indent=2) + "\n", encoding="utf-8")


def log_progress(text: str) -> None:
    """Print a line about what is measured now; standard output is for the table."""
    print(f"measuring: {text}", file=sys.stderr, flush=True)


def format_load() -> str:
    """Return the load averages of the machine over 1, 5 and 15 minutes."""
    return ", ".join(f"{value:.1f}" for value in os.getloadavg())
