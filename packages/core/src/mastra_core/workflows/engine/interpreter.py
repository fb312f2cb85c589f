"""Runs a workflow's description over a journal.

The interpreter knows nothing of where a run is kept or whether it outlives the process; the
journal knows nothing of steps side by side or conditions.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import functools
import time
from collections.abc import Iterator, Sequence
from typing import Any

from mastra_core.errors import InvalidInput
from mastra_core.schema import dump, validate
from mastra_core.telemetry import active, ids_of, note, span
from mastra_core.workflows.engine.journal import Journal
from mastra_core.workflows.engine.outcome import Outcome, RunError
from mastra_core.workflows.engine.run_activity import Activity
from mastra_core.workflows.engine.run_events import StepRetried, StepStarted
from mastra_core.workflows.engine.scope import Scope
from mastra_core.workflows.engine.start import Options, Place, Start
from mastra_core.workflows.engine.step_runner import (
    Bailed,
    StepFailed,
    ask,
    ended,
    execute,
    pause,
    told,
)
from mastra_core.workflows.engine.tasks import Expired, within
from mastra_core.workflows.model.nodes import Branch, ForEach, Loop, Node, Parallel, Single, Sleep
from mastra_core.workflows.model.step import Step
from mastra_core.workflows.model.workflow import Workflow

__all__ = ("Paused", "interpret")


class Paused(BaseException):
    """One step was asked for, and is done.

    Not an ``Exception``, since nothing failed: the run's span would say so.
    """


async def interpret(workflow: Workflow, value: Any, journal: Journal, options: Options) -> Any:
    """Run ``workflow`` on ``value`` to its result.

    :raises StepFailed: when a step or condition fails for good.
    :raises Paused: when ``options`` asked for one step and there are more.
    """
    scope = Scope(workflow, journal, options, Activity(journal), options.state)
    scope.init = value
    if not active():
        return await _workflow(scope, value, options.start)
    with span(f"invoke_workflow {workflow.id}", {"mastra.workflow.id": workflow.id}) as current:
        options.trace.update(ids_of(current))
        note(current, input=value, run=journal.run_id, resource=options.resource)
        result = await _workflow(scope, value, options.start)
        note(current, output=result)
        return result


async def _workflow(
    scope: Scope, value: Any, start: Start | None, limit: float | None = None
) -> Any:
    """The result of a workflow, or what it was bailed out of with."""
    limit = limit or scope.workflow.timeout
    try:
        if limit is None:
            return _result(scope.workflow, await _nodes(scope, value, start))
        clock = scope.journal.sleep(f"{scope.key}:timeout", time.time() + limit)
        return _result(scope.workflow, await within(_nodes(scope, value, start), clock))
    except Bailed as bailed:
        return bailed.result
    except Expired:
        message = f"The workflow {scope.workflow.id!r} took longer than {limit:g} s."
        raise StepFailed(RunError(message=message, name="TimeoutError")) from None


def _result(workflow: Workflow, value: Any) -> Any:
    """The output of the last step, if it is what the workflow says it gives."""
    if workflow.output is None:
        return value
    try:
        return dump(validate(workflow.output, value))
    except InvalidInput as error:
        reason = told(error, f"the result of workflow {workflow.id!r}")
        raise StepFailed(reason) from error


async def _nodes(scope: Scope, value: Any, start: Start | None) -> Any:
    nodes = scope.workflow.nodes
    first = 0
    if start is not None:
        first = _entered(scope, start)
        value = start.values.get(scope.prefix + start.path[0])
    for index in range(first, len(nodes)):
        value = await _node(scope, nodes[index], value, start if index == first else None)
        if scope.options.per_step and not scope.prefix and index + 1 < len(nodes):
            raise Paused
    return value


def _entered(scope: Scope, start: Start) -> int:
    """The index of the node to begin with; what came before is taken as given."""
    for item in scope.workflow.steps():
        if scope.prefix + item.id in start.outputs:
            scope.outputs[item.id] = start.outputs[scope.prefix + item.id]
    names = [[item.id for item in node.steps] for node in scope.workflow.nodes]
    return next(index for index, ids in enumerate(names) if start.path[0] in ids)


async def _node(scope: Scope, node: Node, value: Any, start: Start | None) -> Any:
    if type(node) is Single:  # nearly always
        return await _step(scope, node.step, value, start=start)
    match node:
        case ForEach():
            return await _foreach(scope, node, value)
        case Loop():
            return await _loop(scope, node, value)
        case Parallel():
            return await _together(scope, node.steps, value, start)
        case Branch():
            return await _together(scope, await _chosen(scope, node, value, start), value, start)
        case Sleep():
            return await _sleep(scope, node, value)
    raise TypeError(f"{node!r} is no node")


async def _step(
    scope: Scope,
    item: Step[Any, Any],
    value: Any,
    place: Place | None = None,
    start: Start | None = None,
) -> Any:
    place = place or scope.place(item.id)
    if item.workflow is not None:
        output = await _nested(scope, item, item.workflow, value, place, start)
    else:
        resume = start.resume_data if start is not None else None
        output = await execute(scope, item, value, place, resume)
    scope.outputs[item.id] = output
    return output


async def _nested(
    scope: Scope,
    item: Step[Any, Any],
    workflow: Workflow,
    value: Any,
    place: Place,
    start: Start | None,
) -> Any:
    journal, attempt = scope.journal, 1
    await journal.emit(
        f"{place.key}:started", StepStarted(step=place.path, payload=value, group=True)
    )
    while True:
        inner = scope.nested(workflow, place, f"{place.key}#{attempt}", value)
        outcome = await _outcome(inner, item, value, start.inner() if start else None)
        if outcome.error is None or item.retry is None or attempt > item.retry.count:
            return await ended(scope, place, outcome)
        again = StepRetried(step=place.path, attempt=attempt + 1, error=outcome.error)
        if seconds := item.retry.wait(attempt):
            until = time.time() + seconds
            key = f"{place.key}~{attempt}"
            clock = functools.partial(journal.sleep, key, until)
            await scope.activity.waiting(key, clock, asleep=True)
        await journal.emit(f"{place.key}:again{attempt}", again)
        attempt, start = attempt + 1, None


async def _outcome(inner: Scope, item: Step[Any, Any], value: Any, start: Start | None) -> Outcome:
    try:
        return Outcome(value=dump(await _workflow(inner, value, start, item.timeout)))
    except StepFailed as failed:
        return Outcome(kind="failed", error=failed.error)


async def _chosen(
    scope: Scope, node: Branch, value: Any, start: Start | None
) -> list[Step[Any, Any]]:
    """Steps whose condition holds; where a run begins in one of them, what is known decides."""
    if start is not None:
        return [item for item in node.steps if item.id in scope.outputs or item.id == start.path[0]]
    pairs = zip(node.conditions, node.steps, strict=True)
    chosen = []
    for condition, item in pairs:
        if await ask(scope, condition, value, scope.place(item.id), bool):
            chosen.append(item)
    return chosen


async def _together(
    scope: Scope, steps: Sequence[Step[Any, Any]], value: Any, start: Start | None
) -> Any:
    arms = [scope.fork() for _ in steps]
    known = set() if start is None else {*scope.outputs} - {start.path[0]}
    jobs = [
        functools.partial(
            _step, arm, item, value, None, start if start and start.path[0] == item.id else None
        )
        for arm, item in zip(arms, steps, strict=True)
        if item.id not in known
    ]
    if jobs:
        await scope.activity.together(jobs)
        scope.join(arms)
    return {item.id: scope.outputs[item.id] for item in steps}


async def _foreach(scope: Scope, node: ForEach, value: Any) -> Any:
    item, place = node.step, scope.place(node.step.id)
    await scope.journal.emit(
        f"{place.key}:started", StepStarted(step=place.path, payload=value, group=True)
    )
    if not isinstance(value, list):
        message = f"The step {item.id!r} is for each item of a list, and got {value!r:.50}."
        error = RunError(message=message, name="InvalidInput")
        return await ended(scope, place, Outcome(kind="failed", error=error))
    try:
        outputs = await _each(scope, node, value, place)
    except StepFailed as failed:
        return await ended(scope, place, Outcome(kind="failed", error=failed.error))
    except Bailed as bailed:
        return await ended(scope, place, Outcome(kind="bailed", value=bailed.result))
    scope.outputs[item.id] = outputs
    return await ended(scope, place, Outcome(value=outputs))


async def _each(scope: Scope, node: ForEach, values: list[Any], place: Place) -> list[Any]:
    outputs: list[Any] = [None] * len(values)
    arms: dict[int, Scope] = {}

    async def worker(indices: Iterator[int]) -> None:
        for index in indices:
            at = Place(f"{place.path}[{index}]", f"{place.key}[{index}]")
            arm = arms[index] = scope if node.concurrency == 1 else scope.fork()
            outputs[index] = await _step(arm, node.step, values[index], at)

    indices = iter(range(len(values)))
    if node.concurrency == 1:
        await worker(indices)
        return outputs
    workers = min(node.concurrency, len(values))
    await scope.activity.together([functools.partial(worker, indices)] * workers)
    scope.join(arms[index] for index in sorted(arms))
    return outputs


async def _loop(scope: Scope, node: Loop, value: Any) -> Any:
    item, base = node.step, scope.place(node.step.id)
    iteration = 0
    while True:
        iteration += 1
        place = Place(base.path, f"{base.key}@{iteration}", iteration)
        value = await _step(scope, item, value, place)
        if await ask(scope, node.condition, value, place, bool) is node.until:
            return value
        await asyncio.sleep(0)  # a loop of steps that never wait must not stop the world


async def _sleep(scope: Scope, node: Sleep, value: Any) -> Any:
    place = scope.place(node.id)
    await scope.journal.emit(f"{place.key}:started", StepStarted(step=place.path, payload=value))
    try:
        seconds = await _seconds(scope, node, value, place)
    except StepFailed as failed:
        return await ended(scope, place, Outcome(kind="failed", error=failed.error))
    await pause(scope, place, seconds)
    return await ended(scope, place, Outcome(value=value))


async def _seconds(scope: Scope, node: Sleep, value: Any, place: Place) -> float:
    form = _moment if node.until else _duration
    asked: Any = node.moment if node.until else node.duration
    if node.asks is not None:
        asked = await ask(scope, node.asks, value, place, form)
    else:
        asked = form(asked)
    return max(0.0, asked - time.time()) if node.until else float(asked)


def _duration(value: Any) -> float:
    return max(0.0, float(value))


def _moment(value: Any) -> float:
    """Seconds since the epoch; a moment without a time zone is nowhere."""
    if not isinstance(value, dt.datetime) or value.tzinfo is None:
        raise InvalidInput(f"{value!r} is not a datetime with a time zone.")
    return value.timestamp()
