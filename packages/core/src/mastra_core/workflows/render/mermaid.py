"""Render a workflow as a Mermaid flowchart."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from mastra_core.workflows.model.definition import Branch, ForEach, Loop, Node, Sleep, Step
from mastra_core.workflows.render.labels import (
    format_concurrency,
    format_loop_condition,
    format_sleep,
)

if TYPE_CHECKING:
    from mastra_core.workflows.model.definition import WorkflowDefinition

__all__ = ("render_mermaid",)


def render_mermaid(workflow: WorkflowDefinition) -> str:
    """Render a workflow as a Mermaid flowchart.

    :param workflow: the workflow.
    :returns: the text of the flowchart.
    """
    return "\n".join(["flowchart TD", *_Chart().iter_lines(workflow)]) + "\n"


class _Chart:
    """Renders the lines of a flowchart, and gives numbers to its boxes.

    ``sources`` are the boxes at which the next arrows start, with the labels of these arrows.
    """

    def __init__(self) -> None:
        self._numbers = itertools.count(1)

    def iter_lines(self, workflow: WorkflowDefinition) -> Iterator[str]:
        begin, end = self._create_node_id(), self._create_node_id()
        yield f"  {begin}([start])"
        sources = yield from self._render_nodes(workflow, [(begin, "")], "  ")
        yield f"  {end}([end])"
        yield from self._render_arrows(sources, end, "  ")

    def _render_nodes(
        self, workflow: WorkflowDefinition, sources: list[tuple[str, str]], indent: str
    ) -> Any:
        """Yield the lines of all nodes, and return the boxes at which the next arrows start."""
        for node in workflow.nodes:
            sources = yield from self._render_node(node, sources, indent)
        return sources

    def _render_node(self, node: Node, sources: list[tuple[str, str]], indent: str) -> Any:
        if isinstance(node, Sleep):
            node_id = self._create_node_id()
            yield f"{indent}{node_id}([{_quote(format_sleep(node))}])"
            yield from self._render_arrows(sources, node_id, indent)
            return [(node_id, "")]
        if isinstance(node, Loop):
            node_id, ends = yield from self._render_step(node.step, sources, indent)
            yield f"{indent}{node_id} -->|{_quote(format_loop_condition(node))}| {node_id}"
            return ends
        ends = []
        for index, step in enumerate(node.steps):
            condition = node.conditions[index].name if isinstance(node, Branch) else ""
            arrows = [(node_id, condition or label) for node_id, label in sources]
            note = format_concurrency(node) if isinstance(node, ForEach) else ""
            _, step_ends = yield from self._render_step(step, arrows, indent, note)
            ends += step_ends
        return ends

    def _render_step(
        self, step: Step[Any, Any], sources: list[tuple[str, str]], indent: str, note: str = ""
    ) -> Any:
        node_id = self._create_node_id()
        title = f"{step.id}<br/>{note}" if note else step.id
        if step.workflow is None:
            yield f"{indent}{node_id}{_format_box(step, title)}"
            yield from self._render_arrows(sources, node_id, indent)
            return node_id, [(node_id, "")]
        yield f"{indent}subgraph {node_id}[{_quote(title)}]"
        begin = self._create_node_id()
        yield f"{indent}  {begin}(( ))"
        ends = yield from self._render_nodes(step.workflow, [(begin, "")], indent + "  ")
        yield f"{indent}end"
        yield from self._render_arrows(sources, begin, indent)
        return begin, ends

    def _render_arrows(
        self, sources: list[tuple[str, str]], target: str, indent: str
    ) -> Iterator[str]:
        for source, label in sources:
            text = f"|{_quote(label)}|" if label else ""
            yield f"{indent}{source} -->{text} {target}"

    def _create_node_id(self) -> str:
        return f"n{next(self._numbers)}"


def _format_box(step: Step[Any, Any], title: str) -> str:
    text = _quote(title)
    if step.can_suspend:
        return f"[/{text}/]"
    return {"agent": f"{{{{{text}}}}}", "tool": f"[[{text}]]", "mapping": f"({text})"}.get(
        step.kind, f"[{text}]"
    )


def _quote(text: str) -> str:
    for character, code in (("&", "#amp;"), ('"', "#quot;"), ("<", "#lt;"), (">", "#gt;")):
        text = text.replace(character, code)
    return '"' + text.replace("#lt;br/#gt;", "<br/>") + '"'
