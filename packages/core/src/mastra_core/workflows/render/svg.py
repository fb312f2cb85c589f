"""The order of a workflow's steps as an SVG picture, top to bottom."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from mastra_core.workflows.model.nodes import Branch, ForEach, Loop, Node, Single, Sleep
from mastra_core.workflows.model.step import Step
from mastra_core.workflows.render.labels import (
    format_concurrency,
    format_loop_condition,
    format_sleep,
)

if TYPE_CHECKING:
    from mastra_core.workflows.model.workflow import Workflow

__all__ = ("render_svg",)

_GAP, _BOX, _LETTER, _MARGIN = 36, 40, 7.6, 16  # pixels; the letter is that of 13 px monospace
_STYLE = (
    "text{font:13px ui-monospace,monospace;fill:#1f2328;text-anchor:middle}"
    ".note{font-size:11px;fill:#59636e}"
    "rect{fill:#f6f8fa;stroke:#8c959f}.agent{fill:#ddf4ff}.tool{fill:#dafbe1}"
    ".mapping,.sleep{fill:#fff8c5}.suspend{stroke:#bc4c00;stroke-width:2}"
    ".workflow{fill:none;stroke-dasharray:4 3}path{fill:none;stroke:#59636e}"
)


class _Element(Protocol):
    """A piece of the picture: arrows reach the middle of its top, and leave its bottom's."""

    width: float
    height: float

    def draw(self, x: float, y: float) -> Iterator[str]:
        """Its elements, where ``x`` is its middle and ``y`` its top."""


def render_svg(workflow: Workflow) -> str:
    """A picture that needs nothing else: no font, no script, no style sheet."""
    whole = _Column(
        (_Box("start", "", "end"), *map(_build_node, workflow.nodes), _Box("end", "", "end"))
    )
    width, height = whole.width + 2 * _MARGIN, whole.height + 2 * _MARGIN
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" '
        f'width="{width:g}" height="{height:g}" role="img">',
        f"<title>{_escape(workflow.id)}</title><style>{_STYLE}</style>",
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
        'markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8"/></marker></defs>',
        *whole.draw(width / 2, _MARGIN),
        "</svg>\n",
    ])  # fmt: skip


def _build_node(node: Node) -> _Element:
    match node:
        case Sleep():
            return _Box(format_sleep(node), "", "sleep")
        case Loop():
            return _build_step(node.step, format_loop_condition(node))
        case ForEach():
            return _build_step(node.step, format_concurrency(node))
        case Single():
            return _build_step(node.step)
    words = [item.name for item in node.conditions] if isinstance(node, Branch) else []
    return _Row(tuple(map(_build_step, node.steps)), tuple(words))


def _build_step(item: Step[Any, Any], note: str = "") -> _Element:
    if item.workflow is not None:
        return _Frame(item.id, note, _Column(tuple(map(_build_node, item.workflow.nodes))))
    return _Box(item.id, note, item.kind + (" suspend" if item.can_suspend else ""))


class _Box:
    """One step."""

    def __init__(self, title: str, note: str, kind: str) -> None:
        self.title, self.note, self.kind = title, note, kind
        self.width = _measure_width(title, 0.85 * len(note))
        self.height = float(_BOX + (16 if note else 0))

    def draw(self, x: float, y: float) -> Iterator[str]:
        """The box and its words."""
        radius = 20 if self.kind in {"end", "sleep"} else 6
        yield (
            f'<rect class="{self.kind}" x="{x - self.width / 2:g}" y="{y:g}" '
            f'width="{self.width:g}" height="{self.height:g}" rx="{radius}"/>'
        )
        yield _render_text(self.title, x, y + 25)
        if self.note:
            yield _render_text(self.note, x, y + 43, "note")


class _Column:
    """Parts one after the other."""

    def __init__(self, parts: Sequence[_Element]) -> None:
        self.parts = parts
        self.width = max(part.width for part in parts)
        self.height = sum(part.height for part in parts) + _GAP * (len(parts) - 1)

    def draw(self, x: float, y: float) -> Iterator[str]:
        """The parts, and arrows between them."""
        for number, part in enumerate(self.parts):
            if number:
                yield _render_arrow(x, y - _GAP, x, y)
            yield from part.draw(x, y)
            y += part.height + _GAP


class _Row:
    """Parts side by side, each under the words of its condition."""

    def __init__(self, parts: Sequence[_Element], words: Sequence[str]) -> None:
        self.parts, self.words = parts, words
        self.widths = [
            max(part.width, _measure_width(word))
            for part, word in zip(parts, words or [""] * len(parts), strict=True)
        ]
        self.width = sum(self.widths) + _MARGIN * (len(parts) - 1)
        self.height = max(part.height for part in parts) + 2 * _GAP

    def draw(self, x: float, y: float) -> Iterator[str]:
        """The parts, and arrows from the one point above to the one below."""
        left, bottom = x - self.width / 2, y + self.height
        for number, (part, width) in enumerate(zip(self.parts, self.widths, strict=True)):
            middle = left + width / 2
            yield _render_arrow(x, y, middle, y + _GAP)
            yield from part.draw(middle, y + _GAP)
            end, turn = y + _GAP + part.height, bottom - _GAP / 2
            yield f'<path d="M{middle:g} {end:g}V{turn:g}L{x:g} {bottom:g}"/>'
            if self.words:
                yield _render_text(self.words[number], middle, y + _GAP - 6, "note")
            left += width + _MARGIN


class _Frame:
    """A workflow within another one."""

    def __init__(self, title: str, note: str, inner: _Element) -> None:
        self.title = f"{title}, {note}" if note else title
        self.inner = inner
        self.width = max(inner.width + 2 * _MARGIN, _measure_width(self.title))
        self.height = inner.height + _GAP + _MARGIN

    def draw(self, x: float, y: float) -> Iterator[str]:
        """A dashed line around it."""
        yield (
            f'<rect class="workflow" x="{x - self.width / 2:g}" y="{y:g}" '
            f'width="{self.width:g}" height="{self.height:g}" rx="6"/>'
        )
        yield _render_text(self.title, x, y + 22, "note")
        yield from self.inner.draw(x, y + _GAP)


def _measure_width(title: str, least: float = 6) -> float:
    return max(len(title), least, 6) * _LETTER + 2 * _MARGIN


def _render_text(words: str, x: float, y: float, kind: str = "") -> str:
    name = f' class="{kind}"' if kind else ""
    return f'<text{name} x="{x:g}" y="{y:g}">{_escape(words)}</text>'


def _render_arrow(x: float, y: float, to_x: float, to_y: float) -> str:
    middle = y + _GAP / 2
    return (
        f'<path marker-end="url(#tip)" d="M{x:g} {y:g}C{x:g} {middle:g} '
        f'{to_x:g} {middle:g} {to_x:g} {to_y:g}"/>'
    )


def _escape(text: str) -> str:
    """Text that cannot end the element it is in; characters XML has no place for are dropped."""
    for character, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
        text = text.replace(character, entity)
    return "".join(character for character in text if character.isprintable())
