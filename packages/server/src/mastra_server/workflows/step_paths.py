"""Addresses of steps as the wire has them: a step of a ``foreach`` is one, whatever its item."""

from __future__ import annotations

import re

from mastra_core import Workflow
from mastra_core.errors import NotFound
from mastra_core.workflows import Branch, Parallel, RunRecord, Sleep
from mastra_core.workflows.engine.step_paths import step_at
from mastra_server.http.request_body import InvalidBody

__all__ = ("index_of", "label_places", "named_step", "outer", "places", "plain")

_INDEX = re.compile(r"\[(\d+)\]")


def plain(path: str) -> str:
    """``each[2].pay`` as ``each.pay``."""
    return _INDEX.sub("", path)


def outer(path: str) -> str:
    """The step of the whole workflow that it is in."""
    return plain(path).partition(".")[0]


def index_of(path: str) -> int | None:
    """The item of a ``foreach``."""
    found = _INDEX.search(path)
    return int(found[1]) if found else None


def places(workflow: Workflow, record: RunRecord, status: str) -> dict[str, list[int]]:
    """Where the steps are that do this: their node, and which one of it where it has several."""
    wanted = {outer(path) for path, doing in record.open.items() if doing == status}
    found: dict[str, list[int]] = {}
    for number, node in enumerate(workflow.nodes):
        if isinstance(node, Sleep) and node.id in wanted:
            found[node.id] = [number]
        for index, item in enumerate(node.steps):
            if item.id in wanted:
                several = isinstance(node, Parallel | Branch)
                found[item.id] = [number, index] if several else [number]
    return found


def label_places(record: RunRecord) -> dict[str, dict[str, str | int]]:
    """What each label stands for."""
    labels: dict[str, dict[str, str | int]] = {}
    for path in record.suspended:
        label, index = record.steps[path].label, index_of(path)
        if label:
            item = {} if index is None else {"foreachIndex": index}
            labels[label] = {"stepId": plain(path), **item}
    return labels


def named_step(workflow: Workflow, path: str | list[str] | None) -> str:
    """The step that a client names, as one path: ids in a list, or with dots between.

    :raises InvalidBody: when there is no such step.
    """
    name = ".".join(path) if isinstance(path, list) else path or ""
    if name:
        try:
            step_at(workflow, name)
        except NotFound:
            raise InvalidBody("step", f"The workflow has no step {name!r}") from None
    return name
