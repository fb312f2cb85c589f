"""Facts about all nodes of a workflow, which grow with each node that is appended."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

from mastra_core.errors import ConfigError

__all__ = ("MAX_DEPTH", "MAX_STEPS", "NodeIndex")

MAX_DEPTH = 50  # Python limits how deep functions may call each other
MAX_STEPS = 10_000  # a workflow that contains another one twice doubles its steps with each level


class _Workflow(Protocol):
    @property
    def index(self) -> NodeIndex: ...


class _Step(Protocol):
    @property
    def id(self) -> str: ...
    @property
    def workflow(self) -> _Workflow | None: ...
    @property
    def child(self) -> _Workflow | None: ...


class _Node(Protocol):
    @property
    def steps(self) -> Sequence[_Step]: ...


class NodeIndex(NamedTuple):
    """Facts about the nodes of a workflow, so that appending a node needs no look at the others.

    :param ids: the ids of the steps and the pauses.
    :param mappings: the number of ids that start with ``mapping_``.
    :param sleeps: the number of ids that start with ``sleep_``.
    :param depth: how many workflows contain or start each other, with the outermost.
    :param size: the number of steps and pauses, with those of nested workflows.
    :param starts_children: whether a step, or a step nested in it, starts child runs.
    :param last: the last node with steps, whose output the next node gets.
    """

    ids: frozenset[str] = frozenset()
    mappings: int = 0
    sleeps: int = 0
    depth: int = 1
    size: int = 0
    starts_children: bool = False
    last: Any = None

    def extend(self, workflow: str, node: _Node) -> NodeIndex:
        """Return the facts about the nodes and one more.

        :param workflow: the id of the workflow, for the error.
        :param node: the appended node.
        :raises ConfigError: when the workflow has too many steps, or too many levels.
        """
        ids = list_ids(node)
        index = NodeIndex(
            ids=self.ids.union(ids),
            mappings=self.mappings + sum(id_.startswith("mapping_") for id_ in ids),
            sleeps=self.sleeps + sum(id_.startswith("sleep_") for id_ in ids),
            depth=max(self.depth, *map(_get_depth, node.steps), 1),
            size=self.size + len(ids) + sum(map(_count_nested, node.steps)),
            starts_children=self.starts_children or any(map(_starts_children, node.steps)),
            last=node if node.steps else self.last,
        )
        index._check_limits(workflow)
        return index

    def _check_limits(self, workflow: str) -> None:
        if self.depth > MAX_DEPTH:
            raise ConfigError(
                f"The workflow {workflow!r} contains workflows on more than {MAX_DEPTH} levels.",
                "Put the steps of the inner workflows into fewer workflows.",
            )
        if self.size > MAX_STEPS:
            raise ConfigError(
                f"The workflow {workflow!r} has more than {MAX_STEPS:,} steps, with those of the "
                "workflows in it.",
                "Repeat a step for many values with foreach, or start child runs with as_child.",
            )


def list_ids(node: _Node) -> list[str]:
    """Return the ids of the steps of a node, or the id of a pause.

    :param node: the node.
    """
    return [step.id for step in node.steps] or [node.id]  # type: ignore[attr-defined]  # only a pause has no steps


def _get_depth(step: _Step) -> int:
    inner = step.workflow or step.child
    return 1 if inner is None else 1 + inner.index.depth


def _count_nested(step: _Step) -> int:
    return 0 if step.workflow is None else step.workflow.index.size


def _starts_children(step: _Step) -> bool:
    inner = step.workflow
    return step.child is not None or (inner is not None and inner.index.starts_children)
