"""Call a server with Mastra's own client and record the results without what varies."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from tests.node import run_script

HERE = Path(__file__).parent
RECORDED = HERE / "recorded.json"
CLIENT = "@mastra/client-js@1.47.0"
_ID = r"\b((msg|resp|call|reasoning)_)*([0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{16,32})([-_]\d+)?\b"
_VARYING = (
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)"), "<time>"),
    (re.compile(_ID), "<id>"),
    (re.compile(r"http://127\.0\.0\.1:\d+"), "<origin>"),
)
_USAGE = ("usage", "totalUsage")
_WIDTH = 110


def run_client(home: Path, url: str) -> dict[str, Any]:
    """Return what the client installed in ``home`` receives from the server at ``url``."""
    return normalize(run_script(HERE / "calls.mjs", home, url))


def normalize(value: Any, key: str = "") -> Any:
    """Return ``value`` without ids, times, token counts and stack traces."""
    if key in _USAGE and value:
        return "<usage>"
    if key == "stack":  # it contains paths of one machine
        return "<stack>"
    if isinstance(value, dict):
        return {_normalize_text(name): normalize(each, name) for name, each in value.items()}
    if isinstance(value, list):
        return _merge_deltas([normalize(each) for each in value])
    if isinstance(value, str):
        schema = key.endswith("Schema") and value.startswith("{")  # schemas travel as text
        return normalize(json.loads(value)) if schema else _normalize_text(value)
    timely = isinstance(value, int | float) and not isinstance(value, bool) and value > 1e9
    return "<time>" if timely else value


def _normalize_text(value: str) -> str:
    for pattern, name in _VARYING:
        value = pattern.sub(name, value)
    return value


def _merge_deltas(chunks: list[Any]) -> list[Any]:
    """Merge consecutive text deltas: where a text is split is up to the sender."""
    merged: list[Any] = []
    for chunk in chunks:
        last = merged[-1] if merged else None
        if _is_delta(chunk) and _is_delta(last):
            name = "delta" if "delta" in chunk else "text"
            holder, more = last.get("payload", last), chunk.get("payload", chunk)
            holder[name] += more[name]
        else:
            merged.append(chunk)
    return merged


def _is_delta(chunk: Any) -> bool:
    kinds = ("text-delta", "response.output_text.delta")
    return isinstance(chunk, dict) and chunk.get("type") in kinds


def format_json(value: Any, indent: str = "") -> str:
    """Encode as JSON with sorted keys and short values on one line."""
    line = json.dumps(value, ensure_ascii=False, sort_keys=True)
    if len(line) + len(indent) <= _WIDTH or not isinstance(value, dict | list):
        return line
    deeper = indent + " "
    if isinstance(value, list):
        parts = [format_json(each, deeper) for each in value]
    else:
        parts = [f"{json.dumps(key)}: {format_json(value[key], deeper)}" for key in sorted(value)]
    first, last = "[]" if isinstance(value, list) else "{}"
    return f"{first}\n{deeper}" + f",\n{deeper}".join(parts) + f"\n{indent}{last}"
