"""Prepare a run to be executed again, from a given step or from where it was interrupted."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from mastra_core.errors import InvalidInput
from mastra_core.schema import dump
from mastra_core.workflows.engine.outcome import Outcome
from mastra_core.workflows.engine.run_events import RunRewound
from mastra_core.workflows.engine.run_options import UNSET, StartPoint
from mastra_core.workflows.engine.run_record import RunRecord
from mastra_core.workflows.engine.step_parts import get_part_owner
from mastra_core.workflows.engine.step_paths import find_step
from mastra_core.workflows.model.definition import Single

if TYPE_CHECKING:
    from mastra_core.workflows.model.definition import WorkflowDefinition

__all__ = (
    "build_rewind_event",
    "build_start_point",
    "drop_final_failures",
    "select_kept_keys",
)

_CALL = re.compile(r"#(\d+)(?=\.|$)")


def build_start_point(
    workflow: WorkflowDefinition,
    record: RunRecord,
    step: str,
    value: Any = UNSET,
    outputs: Mapping[str, Any] | None = None,
    resume_data: Any = None,
) -> StartPoint:
    """Build the start point of an execution that begins in ``step``.

    If an input or output is not passed, it comes from the record of the run.

    :param workflow: the workflow.
    :param record: the record of the run.
    :param step: the path of the step.
    :param value: the input of the step.
    :param outputs: the outputs to assume for earlier steps, by path.
    :param resume_data: the data with which the step is resumed.
    :raises NotFound: when there is no such step.
    :raises InvalidInput: when the input of the step is neither passed nor recorded.
    """
    if "[" in step:
        group = step.partition("[")[0]
        raise InvalidInput(
            f"A run cannot start at {step!r}, because this is a single item of a foreach.",
            f"Name the step: {group!r}.",
        )
    find_step(workflow, step)
    names = tuple(step.split("."))
    known = {**_collect_outputs(record), **dump(outputs or {})}
    paths = [".".join(names[: count + 1]) for count in range(len(names))]
    values = {path: _derive_input(workflow, record, path, known) for path in paths}
    others = {*_iter_other_steps(workflow, names)}
    assumed = {path: output for path, output in known.items() if path in others}
    if value is not UNSET:
        values[step] = dump(value)
        previous = _find_previous_step(workflow, names)
        if previous:
            assumed[previous] = values[step]
    if values[step] is UNSET:
        raise InvalidInput(
            f"The step {step!r} has not run yet, so its input is unknown.", "Pass its input."
        )
    return StartPoint(path=names, values=values, outputs=assumed, resume_data=dump(resume_data))


def build_rewind_event(record: RunRecord, start: StartPoint) -> RunRewound:
    """Build the event that names the steps to forget and the outputs to assume for earlier steps.

    :param record: the record of the run.
    :param start: the start point of the next execution.
    """
    steps = tuple(path for path in record.steps if path not in start.outputs)
    recorded = _collect_outputs(record)
    outputs = {
        path: output
        for path, output in start.outputs.items()
        if path not in recorded or recorded[path] != output
    }
    return RunRewound(steps=steps, outputs=outputs)


def drop_final_failures(outcomes: Mapping[str, Outcome]) -> dict[str, Outcome]:
    """Drop the failures that ended a run, so that a restart repeats the failed calls.

    A failure is kept if the step, or a nested workflow that contains the step, was called again
    after it, and this later call has not failed.

    :param outcomes: the recorded outcomes by key, in the order in which they were recorded.
    """
    remaining: dict[str, Outcome] = {}
    begun: set[str] = set()
    failed: set[str] = set()
    for key, outcome in reversed([*outcomes.items()]):
        calls = [*_iter_calls(key)]
        following = {f"{address}#{number + 1}" for address, number in calls}
        is_kept = outcome.kind != "failed" or not following.isdisjoint(begun - failed)
        (begun if is_kept else failed).update(f"{address}#{number}" for address, number in calls)
        if is_kept:
            remaining[key] = outcome
    return dict(reversed([*remaining.items()]))


def select_kept_keys(event_keys: Iterable[str], outcomes: Mapping[str, Outcome]) -> set[str]:
    """Return the keys of events whose steps the next execution does not repeat.

    :param event_keys: the keys of all events so far.
    :param outcomes: the outcomes by key that the next execution keeps.
    """
    keys = (key.rpartition("#") for key, each in outcomes.items() if each.kind == "done")
    done = {address for address, _, number in keys if number.isdecimal()}
    return {key for key in event_keys if key.rpartition(":")[0] in done}


def _iter_calls(key: str) -> Iterator[tuple[str, int]]:
    """Yield the address and the number of each call that a key belongs to.

    The calls are the call of the step itself, and those of the nested workflows that contain it.
    """
    for match in _CALL.finditer(get_part_owner(key) or key):
        yield key[: match.start()], int(match[1])


def _collect_outputs(record: RunRecord) -> dict[str, Any]:
    return {path: step.output for path, step in record.steps.items() if step.status == "success"}


def _iter_other_steps(
    workflow: WorkflowDefinition, names: tuple[str, ...], prefix: str = ""
) -> Iterator[str]:
    """Yield the paths of the steps before the step at ``names``, and of the others in its node."""
    for node in workflow.nodes:
        target = next((step for step in node.steps if step.id == names[0]), None)
        yield from (prefix + step.id for step in node.steps if step is not target)
        if target is not None:
            if target.workflow is not None and names[1:]:
                yield from _iter_other_steps(target.workflow, names[1:], f"{prefix}{target.id}.")
            return


def _find_previous_step(workflow: WorkflowDefinition, names: tuple[str, ...]) -> str:
    """Return the path of the step whose output is the input of the step at ``names``.

    If the input is not the output of exactly one step, the path is empty.
    """
    prefix = "".join(f"{name}." for name in names[:-1])
    inner = find_step(workflow, prefix[:-1]).workflow if prefix else workflow
    last: Any = None
    for node in inner.nodes if inner is not None else ():
        if any(step.id == names[-1] for step in node.steps):
            break
        last = node if node.steps else last
    return prefix + last.step.id if isinstance(last, Single) else ""


def _derive_input(
    workflow: WorkflowDefinition, record: RunRecord, path: str, step_outputs: Mapping[str, Any]
) -> Any:
    """Return the known output of the node before the step, or else the step's recorded input."""
    prefix, _, name = path.rpartition(".")
    inner = find_step(workflow, prefix).workflow if prefix else workflow
    value = _derive_input(workflow, record, prefix, step_outputs) if prefix else record.input
    for node in inner.nodes if inner is not None else ():
        if any(step.id == name for step in node.steps):
            break
        outputs = {
            step.id: step_outputs[step_path]
            for step in node.steps
            if (step_path := f"{prefix}.{step.id}".lstrip(".")) in step_outputs
        }
        if node.steps:
            value = outputs if not isinstance(node, Single) else [*outputs.values(), UNSET][0]
    recorded = record.steps.get(path)
    return value if value is not UNSET or recorded is None else recorded.payload
