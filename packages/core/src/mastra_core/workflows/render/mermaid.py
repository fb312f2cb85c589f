"""The order of a workflow's steps as a Mermaid flowchart."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from mastra_core.workflows.model.nodes import Branch, ForEach, Loop, Node, Sleep
from mastra_core.workflows.model.step import Step
from mastra_core.workflows.render.labels import (
    format_concurrency,
    format_loop_condition,
    format_sleep,
)

if TYPE_CHECKING:
    from mastra_core.workflows.model.workflow import Workflow

__all__ = ("render_mermaid",)


def render_mermaid(workflow: Workflow) -> str:
    """Text that GitHub, and whatever else knows Mermaid, draws."""
    return "\n".join(["flowchart TD", *_Chart().render(workflow)]) + "\n"


class _Chart:
    """Lines of a chart; every box has a number."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)

    def render(self, workflow: Workflow) -> Iterator[str]:
        begin, end = self._create_node_id(), self._create_node_id()
        yield f"  {begin}([start])"
        last = yield from self._render_nodes(workflow, [(begin, "")], "  ")
        yield f"  {end}([end])"
        yield from self._render_arrows(last, end, "  ")

    def _render_nodes(self, workflow: Workflow, last: list[tuple[str, str]], indent: str) -> Any:
        """The lines of all nodes; gives where arrows to the next one begin, with their words."""
        for node in workflow.nodes:
            last = yield from self._render_node(node, last, indent)
        return last

    def _render_node(self, node: Node, last: list[tuple[str, str]], indent: str) -> Any:
        if isinstance(node, Sleep):
            name = self._create_node_id()
            yield f"{indent}{name}([{_quote(format_sleep(node))}])"
            yield from self._render_arrows(last, name, indent)
            return [(name, "")]
        if isinstance(node, Loop):
            name, ends = yield from self._render_step(node.step, last, indent)
            yield f"{indent}{name} -->|{_quote(format_loop_condition(node))}| {name}"
            return ends
        ends = []
        for index, item in enumerate(node.steps):
            words = node.conditions[index].name if isinstance(node, Branch) else ""
            arrows = [(name, words or told) for name, told in last]
            note = format_concurrency(node) if isinstance(node, ForEach) else ""
            _, more = yield from self._render_step(item, arrows, indent, note)
            ends += more
        return ends

    def _render_step(
        self, item: Step[Any, Any], last: list[tuple[str, str]], indent: str, note: str = ""
    ) -> Any:
        name = self._create_node_id()
        title = f"{item.id}<br/>{note}" if note else item.id
        if item.workflow is None:
            yield f"{indent}{name}{_format_box(item, title)}"
            yield from self._render_arrows(last, name, indent)
            return name, [(name, "")]
        yield f"{indent}subgraph {name}[{_quote(title)}]"
        begin = self._create_node_id()
        yield f"{indent}  {begin}(( ))"
        ends = yield from self._render_nodes(item.workflow, [(begin, "")], indent + "  ")
        yield f"{indent}end"
        yield from self._render_arrows(last, begin, indent)
        return begin, ends

    def _render_arrows(self, last: list[tuple[str, str]], name: str, indent: str) -> Iterator[str]:
        for before, words in last:
            label = f"|{_quote(words)}|" if words else ""
            yield f"{indent}{before} -->{label} {name}"

    def _create_node_id(self) -> str:
        return f"n{next(self._numbers)}"


def _format_box(item: Step[Any, Any], title: str) -> str:
    text = _quote(title)
    if item.can_suspend:
        return f"[/{text}/]"
    return {"agent": f"{{{{{text}}}}}", "tool": f"[[{text}]]", "mapping": f"({text})"}.get(
        item.kind, f"[{text}]"
    )


def _quote(text: str) -> str:
    for character, code in (("&", "#amp;"), ('"', "#quot;"), ("<", "#lt;"), (">", "#gt;")):
        text = text.replace(character, code)
    return '"' + text.replace("#lt;br/#gt;", "<br/>") + '"'
