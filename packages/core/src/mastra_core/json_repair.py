"""Replace the text and the numbers that JSON cannot contain."""

from __future__ import annotations

from typing import Any

__all__ = ("repair_data", "repair_text")

_MAX_INTEGER = 10**4300  # Python converts no larger one to text


def repair_data(data: Any) -> Any:
    """Return JSON builtins in a form that can be encoded.

    Half of a surrogate pair becomes U+FFFD, and an integer of more than 4,300 digits becomes null.

    :param data: JSON builtins.
    """
    match data:
        case str():
            return repair_text(data)
        case dict():
            return {_repair_key(key): repair_data(value) for key, value in data.items()}
        case list() | tuple():
            return [repair_data(item) for item in data]
        case int() if not -_MAX_INTEGER < data < _MAX_INTEGER:
            return None
    return data


def repair_text(text: str) -> str:
    """Return text that UTF-8 can encode: U+FFFD replaces each unpaired surrogate.

    The two halves of a surrogate pair become one character.

    :param text: any text.
    """
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def _repair_key(key: Any) -> Any:
    repaired = repair_data(key)
    return "null" if repaired is None and key is not None else repaired
