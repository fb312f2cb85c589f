"""Convert a structured answer to events while the model writes it."""

from __future__ import annotations

from typing import Any, NamedTuple

from pydantic_core import from_json

from mastra_core.agents.events import AgentEvent, PartialObject, TextDelta

__all__ = ("AnswerShape", "AnswerStream")

# An incomplete answer is sent again when its text has grown by a 64th. This limits the total length
# of all incomplete answers to a multiple of the answer's length.
_GROWTH = 64


class AnswerShape(NamedTuple):
    """The facts about an answer that are known before the model writes the answer.

    :param wrapper: the property that contains the answer; empty if the answer is an object itself.
    :param choices: the possible texts of the answer, if its type is an enumeration.
    """

    wrapper: str = ""
    choices: tuple[str, ...] = ()


class AnswerStream:
    """Collects the text of an answer, which is JSON.

    :param shape: the shape of the answer; if it is ``None``, only the text of the answer becomes
        events.
    """

    def __init__(self, shape: AnswerShape | None) -> None:
        self._shape = shape
        self._pieces: list[str] = []
        self._size = 0
        self._next_size = 0
        self._last: Any = None

    def add(self, text: str) -> list[AgentEvent]:
        """Add the next piece of the text.

        :param text: the piece.
        :returns: an event with the answer so far, if it has changed, and an event with the piece.
        """
        if not text:
            return []
        self._pieces.append(text)
        self._size += len(text)
        delta = TextDelta(text=text)
        if self._shape is None or self._size < self._next_size:
            return [delta]
        self._next_size = self._size + self._size // _GROWTH
        value = _read_part("".join(self._pieces), self._shape)
        if value is None or value == self._last:
            return [delta]
        self._last = value
        return [PartialObject(object=value), delta]


def _read_part(text: str, shape: AnswerShape) -> Any:
    """Return the answer so far; ``None`` if there is nothing to show yet."""
    value, complete = _parse(text)
    if not shape.wrapper:
        return value if isinstance(value, dict) else None
    if not isinstance(value, dict):
        return None
    inner = value.get(shape.wrapper)
    if isinstance(inner, list):
        return inner if complete else _drop_incomplete(inner)
    if isinstance(inner, str) and inner and shape.choices:
        return _complete_choice(inner, shape.choices)
    return inner if isinstance(inner, dict) else None


def _parse(text: str) -> tuple[Any, bool]:
    """Return the value of a JSON text, and whether the text is complete."""
    try:
        return from_json(text), True
    except ValueError:
        try:
            return from_json(text, allow_partial="trailing-strings"), False
        except ValueError:
            return None, False


def _drop_incomplete(items: list[Any]) -> list[Any]:
    """Drop the last item, unless it is an object, because an object can be shown in part."""
    return items if items and isinstance(items[-1], dict) and items[-1] else items[:-1]


def _complete_choice(text: str, choices: tuple[str, ...]) -> str | None:
    matches = [each for each in choices if each.startswith(text)]
    if not matches:
        return None
    return matches[0] if len(matches) == 1 else text
