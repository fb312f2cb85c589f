"""Beginning a run again: in its middle, or where it broke off."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from mastra_core.errors import InvalidInput
from mastra_core.schema import dump
from mastra_core.workflows.engine.outcome import Outcome
from mastra_core.workflows.engine.run_events import RunRewound
from mastra_core.workflows.engine.run_record import RunRecord
from mastra_core.workflows.engine.start import UNSET, Start
from mastra_core.workflows.engine.step_paths import step_at
from mastra_core.workflows.model.nodes import Single

if TYPE_CHECKING:
    from mastra_core.workflows.model.workflow import Workflow

__all__ = ("kept", "rewound", "start_at")


def start_at(
    workflow: Workflow,
    record: RunRecord,
    step: str,
    value: Any = UNSET,
    outputs: Mapping[str, Any] | None = None,
    resume_data: Any = None,
) -> Start:
    """Where to begin so that ``step`` is the first to run.

    What is not given is taken from the run as it was recorded.

    :raises NotFound: when there is no such step.
    :raises InvalidInput: when nothing says what the step gets.
    """
    if "[" in step:
        raise InvalidInput(f"A run cannot begin in {step!r}.", "Name the step of the foreach.")
    step_at(workflow, step)
    names = tuple(step.split("."))
    known = {**_succeeded(record), **dump(outputs or {})}
    paths = [".".join(names[: count + 1]) for count in range(len(names))]
    values = {path: _payload(workflow, record, path, known) for path in paths}
    before = {*_before(workflow, names)}
    given = {path: output for path, output in known.items() if path in before}
    if value is not UNSET:
        values[step] = dump(value)
        given |= dict.fromkeys(_previous(workflow, names), values[step])
    if values[step] is UNSET:
        raise InvalidInput(f"The step {step!r} has not run, so its input is not known.", "Give it.")
    return Start(path=names, values=values, outputs=given, resume_data=dump(resume_data))


def rewound(record: RunRecord, start: Start) -> RunRewound:
    """What to tell of it: which steps are forgotten, and what others are taken to have given."""
    steps = tuple(path for path in record.steps if path not in start.outputs)
    recorded = _succeeded(record)
    outputs = {
        path: output
        for path, output in start.outputs.items()
        if path not in recorded or recorded[path] != output
    }
    return RunRewound(steps=steps, outputs=outputs)


def kept(outcomes: Mapping[str, Outcome]) -> dict[str, Outcome]:
    """Of what a run recorded, what stays when it goes on: all but the failures that ended it."""
    kept: dict[str, Outcome] = {}
    for key, outcome in reversed([*outcomes.items()]):
        place, _, turn = key.rpartition("#")
        followed = turn.isdecimal() and f"{place}#{int(turn) + 1}" in kept
        if outcome.kind != "failed" or followed:
            kept[key] = outcome
    return dict(reversed([*kept.items()]))


def _succeeded(record: RunRecord) -> dict[str, Any]:
    return {path: step.output for path, step in record.steps.items() if step.status == "success"}


def _before(workflow: Workflow, names: tuple[str, ...], prefix: str = "") -> Iterator[str]:
    """Steps whose outputs may be taken as given: earlier ones, and those beside it."""
    for node in workflow.nodes:
        here = next((item for item in node.steps if item.id == names[0]), None)
        yield from (prefix + item.id for item in node.steps if item is not here)
        if here is not None:
            if here.workflow is not None and names[1:]:
                yield from _before(here.workflow, names[1:], f"{prefix}{here.id}.")
            return


def _previous(workflow: Workflow, names: tuple[str, ...]) -> Iterator[str]:
    """The one step, if it is one, whose output is the input of the step at ``names``."""
    prefix = "".join(f"{name}." for name in names[:-1])
    inner = step_at(workflow, prefix[:-1]).workflow if prefix else workflow
    last: Any = None
    for node in inner.nodes if inner is not None else ():
        if any(item.id == names[-1] for item in node.steps):
            break
        last = node if node.steps else last
    if isinstance(last, Single):
        yield prefix + last.step.id


def _payload(workflow: Workflow, record: RunRecord, path: str, known: Mapping[str, Any]) -> Any:
    """What the step at ``path`` was given, or what the steps before it gave."""
    prefix, _, name = path.rpartition(".")
    inner = step_at(workflow, prefix).workflow if prefix else workflow
    value = _payload(workflow, record, prefix, known) if prefix else record.input
    for node in inner.nodes if inner is not None else ():
        if any(item.id == name for item in node.steps):
            break
        outputs = {
            item.id: known[at]
            for item in node.steps
            if (at := f"{prefix}.{item.id}".lstrip(".")) in known
        }
        if node.steps:
            value = outputs if not isinstance(node, Single) else [*outputs.values(), UNSET][0]
    recorded = record.steps.get(path)
    return value if value is not UNSET or recorded is None else recorded.payload
