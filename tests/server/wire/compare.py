"""Where two answers differ, as paths."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

_Found = tuple[str, str]
_LONGEST = 200


def differences(theirs: Any, ours: Any) -> dict[str, str]:
    """The paths at which ``ours`` is not ``theirs``, each with what is there."""
    return dict(_compared(_by_name(theirs), _by_name(ours), ""))


def _compared(theirs: Any, ours: Any, path: str) -> Iterator[_Found]:
    if isinstance(theirs, dict) and isinstance(ours, dict):
        for key in theirs.keys() | ours.keys():
            yield from _member(theirs, ours, key, f"{path}.{key}".lstrip("."))
    elif theirs != ours or isinstance(theirs, bool) != isinstance(ours, bool):
        yield path, f"{_short(theirs)} there, {_short(ours)} here"


def _member(theirs: dict[str, Any], ours: dict[str, Any], key: str, path: str) -> Iterator[_Found]:
    if key not in ours:
        yield f"{path} lacks", f"{_short(theirs[key])} there, nothing here"
    elif key not in theirs:
        yield f"{path} adds", f"nothing there, {_short(ours[key])} here"
    else:
        yield from _compared(theirs[key], ours[key], path)


def _by_name(value: Any) -> Any:
    """Lists as mappings: chunks by their type and how often it was there, all else by place."""
    if isinstance(value, dict):
        return {key: _by_name(each) for key, each in value.items()}
    if not isinstance(value, list):
        return value
    if not (value and all(isinstance(each, dict) and "type" in each for each in value)):
        return {str(index): _by_name(each) for index, each in enumerate(value)}
    named: dict[str, Any] = {"order": " ".join(str(each["type"]) for each in value)}
    for each in value:
        count = sum(name.startswith(f"{each['type']}#") for name in named)
        named[f"{each['type']}#{count + 1}"] = _by_name(each)
    return named


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "…"
