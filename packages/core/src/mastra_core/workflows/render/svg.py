"""Render a workflow as an SVG picture, from top to bottom."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from mastra_core.workflows.model.definition import Branch, ForEach, Loop, Node, Single, Sleep, Step
from mastra_core.workflows.render.labels import (
    format_concurrency,
    format_loop_condition,
    format_sleep,
)

if TYPE_CHECKING:
    from mastra_core.workflows.model.definition import WorkflowDefinition

__all__ = ("render_svg",)

_GAP, _BOX, _LETTER, _MARGIN = 36, 40, 7.6, 16  # pixels; the width of a letter in 13 px monospace
_STYLE = (
    "text{font:13px ui-monospace,monospace;fill:#1f2328;text-anchor:middle}"
    ".note{font-size:11px;fill:#59636e}"
    "rect{fill:#f6f8fa;stroke:#8c959f}.agent{fill:#ddf4ff}.tool{fill:#dafbe1}"
    ".mapping,.sleep{fill:#fff8c5}.suspend{stroke:#bc4c00;stroke-width:2}"
    ".workflow{fill:none;stroke-dasharray:4 3}path{fill:none;stroke:#59636e}"
)


class _Element(Protocol):
    """A part of the picture.

    Incoming arrows end at the middle of the element's top; outgoing arrows start at the middle of
    its bottom.
    """

    width: float
    height: float

    def draw(self, x: float, y: float) -> Iterator[str]:
        """Yield the SVG elements, centered below the position ``x``, ``y`` in pixels."""


def render_svg(workflow: WorkflowDefinition) -> str:
    """Render a workflow as an SVG picture that needs no external fonts, scripts or style sheets.

    :param workflow: the workflow.
    :returns: the text of the SVG file.
    """
    nodes = map(_build_node, workflow.nodes)
    column = _Column((_Box("start", "", "end"), *nodes, _Box("end", "", "end")))
    width, height = column.width + 2 * _MARGIN, column.height + 2 * _MARGIN
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" '
        f'width="{width:g}" height="{height:g}" role="img">',
        f"<title>{_escape(workflow.id)}</title><style>{_STYLE}</style>",
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
        'markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8"/></marker></defs>',
        *column.draw(width / 2, _MARGIN),
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
    labels = [condition.name for condition in node.conditions] if isinstance(node, Branch) else []
    return _Row(tuple(map(_build_step, node.steps)), tuple(labels))


def _build_step(step: Step[Any, Any], note: str = "") -> _Element:
    if step.workflow is not None:
        return _Frame(step.id, note, _Column(tuple(map(_build_node, step.workflow.nodes))))
    return _Box(step.id, note, step.kind + (" suspend" if step.can_suspend else ""))


class _Box:
    """A box for one step, with an optional note."""

    def __init__(self, title: str, note: str, kind: str) -> None:
        self.title, self.note, self.kind = title, note, kind
        self.width = _measure_width(title, 0.85 * len(note))
        self.height = float(_BOX + (16 if note else 0))

    def draw(self, x: float, y: float) -> Iterator[str]:
        """Yield the box and its texts as SVG elements."""
        radius = 20 if self.kind in {"end", "sleep"} else 6
        yield (
            f'<rect class="{self.kind}" x="{x - self.width / 2:g}" y="{y:g}" '
            f'width="{self.width:g}" height="{self.height:g}" rx="{radius}"/>'
        )
        yield _render_text(self.title, x, y + 25)
        if self.note:
            yield _render_text(self.note, x, y + 43, "note")


class _Column:
    """Elements that are arranged from top to bottom."""

    def __init__(self, elements: Sequence[_Element]) -> None:
        self.elements = elements
        self.width = max(element.width for element in elements)
        self.height = sum(element.height for element in elements) + _GAP * (len(elements) - 1)

    def draw(self, x: float, y: float) -> Iterator[str]:
        """Yield all elements, and the arrows between them."""
        for number, element in enumerate(self.elements):
            if number:
                yield _render_arrow(x, y - _GAP, x, y)
            yield from element.draw(x, y)
            y += element.height + _GAP


class _Row:
    """Elements that are arranged side by side, each below the label of its condition."""

    def __init__(self, elements: Sequence[_Element], labels: Sequence[str]) -> None:
        self.elements, self.labels = elements, labels
        self.widths = [
            max(element.width, _measure_width(label))
            for element, label in zip(elements, labels or [""] * len(elements), strict=True)
        ]
        self.width = sum(self.widths) + _MARGIN * (len(elements) - 1)
        self.height = max(element.height for element in elements) + 2 * _GAP

    def draw(self, x: float, y: float) -> Iterator[str]:
        """Yield the elements side by side, with an arrow to each and a line from each."""
        left, bottom = x - self.width / 2, y + self.height
        for number, (element, width) in enumerate(zip(self.elements, self.widths, strict=True)):
            middle = left + width / 2
            yield _render_arrow(x, y, middle, y + _GAP)
            yield from element.draw(middle, y + _GAP)
            end, turn = y + _GAP + element.height, bottom - _GAP / 2
            yield f'<path d="M{middle:g} {end:g}V{turn:g}L{x:g} {bottom:g}"/>'
            if self.labels:
                yield _render_text(self.labels[number], middle, y + _GAP - 6, "note")
            left += width + _MARGIN


class _Frame:
    """A frame around a nested workflow."""

    def __init__(self, title: str, note: str, inner: _Element) -> None:
        self.title = f"{title}, {note}" if note else title
        self.inner = inner
        self.width = max(inner.width + 2 * _MARGIN, _measure_width(self.title))
        self.height = inner.height + _GAP + _MARGIN

    def draw(self, x: float, y: float) -> Iterator[str]:
        """Yield the dashed frame, the title and the nested workflow."""
        yield (
            f'<rect class="workflow" x="{x - self.width / 2:g}" y="{y:g}" '
            f'width="{self.width:g}" height="{self.height:g}" rx="6"/>'
        )
        yield _render_text(self.title, x, y + 22, "note")
        yield from self.inner.draw(x, y + _GAP)


def _measure_width(title: str, min_letters: float = 6) -> float:
    return max(len(title), min_letters, 6) * _LETTER + 2 * _MARGIN


def _render_text(text: str, x: float, y: float, kind: str = "") -> str:
    css_class = f' class="{kind}"' if kind else ""
    return f'<text{css_class} x="{x:g}" y="{y:g}">{_escape(text)}</text>'


def _render_arrow(x: float, y: float, to_x: float, to_y: float) -> str:
    middle = y + _GAP / 2
    return (
        f'<path marker-end="url(#tip)" d="M{x:g} {y:g}C{x:g} {middle:g} '
        f'{to_x:g} {middle:g} {to_x:g} {to_y:g}"/>'
    )


def _escape(text: str) -> str:
    """Escape XML characters, and remove characters that XML does not allow."""
    for character, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
        text = text.replace(character, entity)
    return "".join(character for character in text if character.isprintable())
