"""Compare two responses and return the paths where they differ."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

_Found = tuple[str, str]
_LONGEST = 200


def find_differences(theirs: Any, ours: Any) -> dict[str, str]:
    """Return the paths at which ``ours`` differs from ``theirs``, with both values."""
    return dict(_compare(_index_items(theirs), _index_items(ours), ""))


def _compare(theirs: Any, ours: Any, path: str) -> Iterator[_Found]:
    if isinstance(theirs, dict) and isinstance(ours, dict):
        for key in theirs.keys() | ours.keys():
            yield from _compare_member(theirs, ours, key, f"{path}.{key}".lstrip("."))
    elif theirs != ours or isinstance(theirs, bool) != isinstance(ours, bool):
        yield path, f"{_truncate(theirs)} there, {_truncate(ours)} here"


def _compare_member(
    theirs: dict[str, Any], ours: dict[str, Any], key: str, path: str
) -> Iterator[_Found]:
    if key not in ours:
        yield f"{path} lacks", f"{_truncate(theirs[key])} there, nothing here"
    elif key not in theirs:
        yield f"{path} adds", f"nothing there, {_truncate(ours[key])} here"
    else:
        yield from _compare(theirs[key], ours[key], path)


def _index_items(value: Any) -> Any:
    """Turn lists into mappings: chunks by type and occurrence, the rest by index."""
    if isinstance(value, dict):
        return {key: _index_items(each) for key, each in value.items()}
    if not isinstance(value, list):
        return value
    if not (value and all(isinstance(each, dict) and "type" in each for each in value)):
        return {str(index): _index_items(each) for index, each in enumerate(value)}
    named: dict[str, Any] = {"order": " ".join(str(each["type"]) for each in value)}
    for each in value:
        count = sum(name.startswith(f"{each['type']}#") for name in named)
        named[f"{each['type']}#{count + 1}"] = _index_items(each)
    return named


def _truncate(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "…"
