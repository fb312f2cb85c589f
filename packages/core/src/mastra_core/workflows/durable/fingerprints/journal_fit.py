"""Check that the journal of a run fits another description of its workflow."""

from __future__ import annotations

import bisect
import re
from collections.abc import Collection, Iterable, Iterator

from mastra_core.errors import Conflict
from mastra_core.workflows.model.description import (
    NodeDescription,
    StepDescription,
    WorkflowDescription,
)

__all__ = ("check_fit",)

# These parts follow the id of a step in a key: the item of a foreach, the iteration of a loop, and
# the number of the call.
_INSTANCE = re.compile(r"((?:\[\d+\])?(?:@\d+)?)#\d+\.")
_SEPARATORS = "[#@!?~:."


def check_fit(
    old: WorkflowDescription,
    new: WorkflowDescription,
    keys: Collection[str],
    start: tuple[str, ...] = (),
) -> None:
    """Check that a run's recorded outcomes remain valid for a new description of its workflow.

    Both descriptions must agree on all nodes before the last node with a record, and on the steps
    with a record in that node. Steps after the last recorded one may differ.

    :param old: the description with which the outcomes were recorded.
    :param new: the description with which the run shall continue.
    :param keys: the keys of all outcomes, waits and events of the run.
    :param start: the path of the step in which the last execution began; empty if this was the
        first step.
    :raises Conflict: when the outcomes do not fit; the message names the step.
    """
    if old.format != new.format:
        raise _build_conflict("the journal has keys of another version of mastra")
    _check_nodes(old, new, _Keys(keys), "")
    if start:
        last = next(index for index, node in enumerate(old.nodes) if start[0] in _list_ids(node))
        _require_same_nodes(old, new, last + 1)


class _Keys:
    """The keys of a journal.

    :param keys: the keys.
    """

    def __init__(self, keys: Iterable[str]) -> None:
        self._sorted = sorted(keys)
        self._keys = frozenset(self._sorted)

    def iter_rests(self, prefix: str) -> Iterator[str]:
        """Yield the part after a prefix, for each key that begins with the prefix.

        :param prefix: the prefix of a nested workflow; empty for the outermost one.
        """
        for index in range(bisect.bisect_left(self._sorted, prefix), len(self._sorted)):
            if not self._sorted[index].startswith(prefix):
                return
            yield self._sorted[index][len(prefix) :]

    def list_steps(self, prefix: str, ids: Collection[str]) -> set[str]:
        """Return the ids of the steps that have a record.

        :param prefix: the key prefix of the workflow that contains the steps.
        :param ids: the ids of all steps of the workflow.
        """
        found = (_match_step(rest, ids) for rest in self.iter_rests(prefix))
        return {each for each in found if each}

    def list_instances(self, prefix: str, step: str) -> dict[str, str]:
        """Return the address of each execution of a nested workflow, by the prefix of its keys.

        :param prefix: the prefix of the workflow that contains the step.
        :param step: the id of the step.
        """
        found: dict[str, str] = {}
        for rest in self.iter_rests(prefix + step):
            match = _INSTANCE.match(rest)
            if match:
                found[prefix + step + match[0]] = prefix + step + match[1]
        return found

    def has_ended(self, address: str) -> bool:
        """Return whether a step has ended.

        :param address: the address of the step in the journal.
        """
        return f"{address}:ended" in self._keys


def _check_nodes(
    old: WorkflowDescription, new: WorkflowDescription, keys: _Keys, prefix: str
) -> None:
    ids = [each for node in old.nodes for each in _list_ids(node)]
    steps = keys.list_steps(prefix, ids)
    if not steps:
        return
    last = max(index for index, node in enumerate(old.nodes) if steps & {*_list_ids(node)})
    _require_same_nodes(old, new, last)
    _check_last_node(old.nodes[last], _get_node(new, last), steps, keys, prefix)


def _require_same_nodes(old: WorkflowDescription, new: WorkflowDescription, count: int) -> None:
    for index, node in enumerate(old.nodes[:count]):
        other = _get_node(new, index)
        if not _is_same_node(node, other):
            raise _build_node_conflict(node, other)


def _check_last_node(
    old: NodeDescription,
    new: NodeDescription | None,
    steps: set[str],
    keys: _Keys,
    prefix: str,
) -> None:
    if new is None or new.kind != old.kind:
        raise _build_node_conflict(old, new)
    others = {step.id: step for step in new.steps}
    for step in old.steps:
        if step.id not in steps:
            continue
        other = others.get(step.id)
        if other is None or other.kind != step.kind:
            raise _build_node_conflict(old, new)
        _check_nested(step, other, keys, prefix)


def _check_nested(old: StepDescription, new: StepDescription, keys: _Keys, prefix: str) -> None:
    """Check each execution of a nested workflow; no difference is allowed in one that has ended."""
    if old.workflow is None or new.workflow is None or _is_same_step(old, new):
        return
    for inner, address in keys.list_instances(prefix, old.id).items():
        if not keys.has_ended(address):
            _check_nodes(old.workflow, new.workflow, keys, inner)
        elif not _is_same_workflow(old.workflow, new.workflow):
            raise _build_conflict(f"the nested workflow {old.id!r} has ended, and differs")


def _match_step(rest: str, ids: Collection[str]) -> str:
    """Return the step id with which a key begins; an id may contain ``~`` and ``:``."""
    matches = (
        each for each in ids if rest.startswith(each) and rest[len(each) :][:1] in _SEPARATORS
    )
    return max(matches, key=len, default="")


def _is_same_workflow(old: WorkflowDescription, new: WorkflowDescription) -> bool:
    """Return whether two workflows have the same structure; ignore their versions."""
    return len(old.nodes) == len(new.nodes) and all(map(_is_same_node, old.nodes, new.nodes))


def _is_same_node(old: NodeDescription, new: NodeDescription | None) -> bool:
    return (
        new is not None
        and (old.kind, len(old.steps)) == (new.kind, len(new.steps))
        and all(map(_is_same_step, old.steps, new.steps))
    )


def _is_same_step(old: StepDescription, new: StepDescription) -> bool:
    if (old.id, old.kind) != (new.id, new.kind):
        return False
    if old.workflow is None or new.workflow is None:
        return old.workflow is new.workflow
    return _is_same_workflow(old.workflow, new.workflow)


def _get_node(workflow: WorkflowDescription, index: int) -> NodeDescription | None:
    return workflow.nodes[index] if index < len(workflow.nodes) else None


def _list_ids(node: NodeDescription) -> list[str]:
    return [step.id for step in node.steps]


def _build_node_conflict(old: NodeDescription, new: NodeDescription | None) -> Conflict:
    reason = f"it has outcomes of {_name_node(old)}, where the other has {_name_node(new)}"
    return _build_conflict(reason)


def _name_node(node: NodeDescription | None) -> str:
    if node is None:
        return "no such node"
    names = ", ".join(f"{step.id} ({step.kind})" for step in node.steps)
    return f"the {node.kind} {names}"


def _build_conflict(reason: str) -> Conflict:
    return Conflict(
        f"The run does not fit the other description: {reason}.",
        "Start a process with the earlier description, for example in previous=[...], or cancel "
        "the run.",
    )
