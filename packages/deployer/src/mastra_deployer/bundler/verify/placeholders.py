"""Make placeholders for required variables; each has the type of the real value."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from mastra_core.database.url import DATABASE_URL
from mastra_deployer.output.masking import is_public_word

__all__ = ("PLACEHOLDER", "build_placeholder", "build_placeholders")

PLACEHOLDER = "placeholder"
_HOST = "placeholder.invalid"  # a name that no resolver knows
# Values of variables that mastra itself reads, for a build that knows no value.
_EXAMPLES = {DATABASE_URL: "postgresql://user:password@host/name"}
# Hexadecimal digits or Base64 count as a key if there are at least this many characters.
_KEY_LENGTH = 32
_URL = re.compile(r"(?P<scheme>[A-Za-z][\w+.-]*)://(?P<rest>.*)", re.DOTALL)
_FILE_SCHEME = re.compile(r"(sqlite|duckdb|file|libsql)", re.IGNORECASE)


def build_placeholders(names: Iterable[str], values: Mapping[str, str]) -> dict[str, str]:
    """Return a placeholder for each variable.

    :param names: the names of the variables.
    :param values: the known environment variables. A placeholder has the type of its variable's
        value.
    """
    return {
        name: build_placeholder(values.get(name, "") or _EXAMPLES.get(name, "")) for name in names
    }


def build_placeholder(value: str) -> str:
    """Return a placeholder of the same type: a number, address, date, list, key or text.

    :param value: the real value, which may be secret; empty if there is none.
    """
    text = value.strip()
    if is_public_word(text):
        return text
    for build in _BUILDERS:
        if (placeholder := build(text)) is not None:
            return placeholder
    return (PLACEHOLDER * (len(text) // len(PLACEHOLDER) + 1))[: max(len(text), len(PLACEHOLDER))]


def _build_by_pattern(text: str) -> str | None:
    return next((value for pattern, value in _PATTERNS if re.fullmatch(pattern, text)), None)


def _build_size(text: str) -> str | None:
    """Return a duration or size with the same unit: ``1s`` for ``30s``."""
    found = re.fullmatch(r"\d+ ?(ms|s|sec|m|min|h|d|days?|[kmg]i?b|%)", text, re.IGNORECASE)
    return f"1{found[1]}" if found else None


def _build_url(text: str) -> str | None:
    found = _URL.fullmatch(text)
    if not found:
        return None
    scheme = found["scheme"]
    if _FILE_SCHEME.match(scheme):
        return f"{scheme}:///{PLACEHOLDER}.db" if found["rest"].strip("/") else text
    address, _, path = re.split(r"[?#]", found["rest"])[0].partition("/")
    account, at, host = address.rpartition("@")
    user = PLACEHOLDER + (f":{PLACEHOLDER}" if ":" in account else "") + at if at else ""
    port = ":1" if re.search(r":\d+$", host) else ""
    segments = "".join(f"/{_build_segment(part)}" for part in path.split("/") if part)
    return f"{scheme}://{user}{_HOST}{port}{segments}"


def _build_segment(part: str) -> str:
    return "1" if part.isdigit() else PLACEHOLDER


def _build_json(text: str) -> str | None:
    if text[:1] not in ("{", "["):
        return None
    try:
        return json.dumps(_replace_leaves(json.loads(text)))
    except (ValueError, RecursionError):
        return None


def _replace_leaves(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _replace_leaves(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_replace_leaves(item) for item in value]
    if isinstance(value, str):
        return build_placeholder(value)
    return value if value is None or isinstance(value, bool) else type(value)(1)


def _build_key(text: str) -> str | None:
    """Return a key of zeros in the encoding and length of ``text``, or ``None`` if it is no key."""
    if len(text) < _KEY_LENGTH:
        return None
    if re.fullmatch(r"[0-9A-Fa-f]+", text):
        return "0" * len(text)
    if len(text) % 4 or not re.fullmatch(r"[\w+/-]+={0,2}", text):
        return None
    try:
        size = len(base64.b64decode(text.replace("-", "+").replace("_", "/"), validate=True))
    except binascii.Error:
        return None
    return base64.b64encode(bytes(size)).decode()


def _build_list(text: str) -> str | None:
    items = text.split(",")
    if len(items) == 1 or not all(re.fullmatch(r"\s*[\w.:/@+*-]+\s*", item) for item in items):
        return None
    return ",".join(map(build_placeholder, items))


_BUILDERS: tuple[Callable[[str], str | None], ...] = (
    _build_by_pattern,
    _build_size,
    _build_url,
    _build_json,
    _build_key,
    _build_list,
)
_PATTERNS = (
    (r"[+-]?\d+", "1"),
    (r"[+-]?\d*\.\d+", "1.0"),
    (r"\d{4}-\d\d-\d\d", "2000-01-01"),
    (r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d\S*", "2000-01-01T00:00:00Z"),
    (r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", "00000000-0000-4000-8000-000000000000"),
    (r"\d{1,3}(\.\d{1,3}){3}", "192.0.2.1"),  # of the range for documentation
    (r"[\w.+-]+@[\w-]+(\.[\w-]+)+", f"{PLACEHOLDER}@example.com"),
    (r"[\w.-]+:\d{1,5}", f"{_HOST}:1"),
)
