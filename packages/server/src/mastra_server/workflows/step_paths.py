"""Convert step paths to their form in the API: all items of a ``foreach`` have one path."""

from __future__ import annotations

import re

from mastra_core import Workflow
from mastra_core.errors import NotFound
from mastra_core.workflows import Branch, Parallel, RunRecord, Sleep
from mastra_core.workflows.engine.step_paths import find_step, strip_indexes
from mastra_server.http.request_body import InvalidBody

__all__ = (
    "get_item_index",
    "get_outer_step",
    "locate_labels",
    "locate_steps",
    "resolve_step",
)

_INDEX = re.compile(r"\[(\d+)\]")


def get_outer_step(path: str) -> str:
    """Return the step of the top-level workflow that is, or contains, the step at ``path``.

    :param path: the path of a step.
    """
    return strip_indexes(path).partition(".")[0]


def get_item_index(path: str) -> int | None:
    """Return the index of the ``foreach`` item in ``path``; ``None`` if there is none.

    :param path: the path of a step.
    """
    match = _INDEX.search(path)
    return int(match[1]) if match else None


def locate_steps(workflow: Workflow, record: RunRecord, status: str) -> dict[str, list[int]]:
    """Return the positions of all steps with ``status`` in the workflow.

    :param workflow: the workflow.
    :param record: the record of the run.
    :param status: the status that the steps must have.
    :returns: for each step, the index of the step's node, and the step's index within a node of
        several steps.
    """
    ids = {
        get_outer_step(path) for path, step_status in record.open.items() if step_status == status
    }
    locations: dict[str, list[int]] = {}
    if not ids:
        return locations
    for number, node in enumerate(workflow.nodes):
        if isinstance(node, Sleep) and node.id in ids:
            locations[node.id] = [number]
        for index, step_ in enumerate(node.steps):
            if step_.id in ids:
                several = isinstance(node, Parallel | Branch)
                locations[step_.id] = [number, index] if several else [number]
    return locations


def locate_labels(record: RunRecord) -> dict[str, dict[str, str | int]]:
    """Return the suspended step of each label.

    :param record: the record of the run.
    :returns: for each label, the step and the index of its ``foreach`` item.
    """
    labels: dict[str, dict[str, str | int]] = {}
    for path in record.suspended_steps:
        label, index = record.steps[path].label, get_item_index(path)
        if label:
            item = {} if index is None else {"foreachIndex": index}
            labels[label] = {"stepId": strip_indexes(path), **item}
    return labels


def resolve_step(
    workflow: Workflow, path: str | list[str] | None, record: RunRecord | None = None
) -> str:
    """Convert a client's name for a step to the path of the step.

    :param workflow: the workflow.
    :param path: the ids of nested steps, in a list or joined by dots; may be empty.
    :param record: the record of the run, which may contain steps of another version of the
        workflow.
    :returns: the path; empty if the client names no step.
    :raises InvalidBody: when neither the workflow nor the record has the step.
    """
    name = ".".join(path) if isinstance(path, list) else path or ""
    recorded = () if record is None else map(strip_indexes, record.steps)
    if name and name not in recorded:
        try:
            find_step(workflow, name)
        except NotFound:
            raise InvalidBody("step", f"The workflow has no step {name!r}") from None
    return name
