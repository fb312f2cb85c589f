"""Execute the nodes of a workflow, and record their outcomes in a journal.

The interpreter handles control flow: order, concurrency, conditions and loops. The journal stores
outcomes and events, and decides whether a run survives its process.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import functools
import time
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from mastra_core.arguments.number_checks import MAX_SECONDS
from mastra_core.errors import InvalidInput
from mastra_core.logs.log_fields import set_log_fields
from mastra_core.schema import dump, validate_named
from mastra_core.telemetry import (
    annotate,
    continue_trace,
    get_span_ids,
    is_recording,
    restore_baggage,
    start_span,
)
from mastra_core.workflows.engine.journal import Journal
from mastra_core.workflows.engine.outcome import Outcome, RunError
from mastra_core.workflows.engine.run_activity import RunActivity
from mastra_core.workflows.engine.run_events import (
    RunFinished,
    RunPaused,
    StepRetried,
    StepStarted,
)
from mastra_core.workflows.engine.run_options import RunOptions, StartPoint, StepAddress
from mastra_core.workflows.engine.scope import Scope
from mastra_core.workflows.engine.step_runner import (
    StepFailed,
    WorkflowExit,
    evaluate,
    execute_step,
    finish,
    is_repeated,
    to_run_error,
    wait,
)
from mastra_core.workflows.engine.tasks import DeadlineExceeded, run_with_deadline
from mastra_core.workflows.model.definition import (
    Branch,
    ForEach,
    Loop,
    Node,
    Parallel,
    Single,
    Sleep,
    Step,
    WorkflowDefinition,
)
from mastra_core.workflows.model.retry import Retry

__all__ = ("PerStepPause", "execute_run", "interpret")


_NODE_KINDS: dict[type, str] = {
    Branch: "conditional",
    ForEach: "foreach",
    Loop: "loop",
    Parallel: "parallel",
    Sleep: "sleep",
}


class PerStepPause(BaseException):
    """A run with ``per_step`` has executed one node, but more nodes follow.

    The class is a ``BaseException``, because an ``Exception`` would mark the run's span as failed.
    """


async def execute_run(
    workflow: WorkflowDefinition, value: Any, journal: Journal, options: RunOptions
) -> RunFinished | RunPaused:
    """Execute a workflow, and return the last event of the execution.

    :param workflow: the workflow.
    :param value: the input of the workflow, as JSON builtins.
    :param journal: the journal of the run.
    :param options: the options of this execution; ``state`` and ``trace`` are changed in place.
    :raises CancelledError: when the execution is cancelled, or a step raises it.
    """
    state = options.state
    try:
        result = await interpret(workflow, value, journal, options)
        return RunFinished(status="success", result=result, state=state)
    except PerStepPause:
        return RunPaused(state=state)
    except StepFailed as failed:
        return RunFinished(status="failed", error=failed.error, state=state)
    except Exception as error:  # noqa: BLE001  # a defect of the engine must not leave a run unfinished
        reason = to_run_error(error, f"a run of workflow {workflow.id!r}")
        return RunFinished(status="failed", error=reason, state=state)


async def interpret(
    workflow: WorkflowDefinition, value: Any, journal: Journal, options: RunOptions
) -> Any:
    """Execute a workflow and return its result.

    A call whose outcome is in the journal is not executed again.

    :param workflow: the workflow.
    :param value: the input of the workflow, as JSON builtins.
    :param journal: the journal of the run.
    :param options: the options of this execution; ``state`` and ``trace`` are changed in place.
    :returns: the result, as JSON builtins.
    :raises StepFailed: when a step or condition fails and is not retried.
    :raises PerStepPause: when ``options.per_step`` is set and nodes remain.
    """
    scope = Scope(workflow, journal, options, RunActivity(journal), options.state)
    scope.init_data = value
    fields = {"resource_id": options.resource_id} if options.resource_id else {}
    set_log_fields(workflow=workflow.id, run_id=journal.run_id, **fields)
    if not is_recording():
        return await _run_workflow(scope, value, options.start)
    attributes = {"mastra.workflow.id": workflow.id}
    with restore_baggage(options.trace):
        parent = continue_trace(options.trace)  # of a run that is executed again after a suspension
        with start_span(f"invoke_workflow {workflow.id}", attributes, context=parent) as current:
            options.trace.update(get_span_ids(current))
            annotate(current, input=value, run=journal.run_id, resource=options.resource_id)
            result = await _run_workflow(scope, value, options.start)
            annotate(current, output=result)
            return result


async def _run_workflow(
    scope: Scope, value: Any, start: StartPoint | None, limit: float | None = None
) -> Any:
    """Execute a workflow within its timeout; return its result, or the value of ``bail``."""
    limit = limit or scope.workflow.timeout
    try:
        if limit is None:
            return _validate_result(scope, await _run_nodes(scope, value, start))
        deadline = scope.journal.sleep(f"{scope.key}:timeout", time.time() + limit)
        nodes = _run_nodes(scope, value, start)
        return _validate_result(scope, await run_with_deadline(nodes, deadline))
    except WorkflowExit as exit_:
        scope.has_bailed = True
        return exit_.result
    except DeadlineExceeded:
        message = f"The workflow {scope.workflow.id!r} took longer than {limit:g} s."
        raise StepFailed(RunError(message=message, name="TimeoutError")) from None


def _validate_result(scope: Scope, value: Any) -> Any:
    """Validate the last step's output against the ``output`` type of the workflow.

    If an earlier process has ended a nested workflow, the output type of its version counts.
    """
    workflow = scope.workflow
    if workflow.output is None:
        return value
    try:
        return dump(validate_named(f"result of workflow {workflow.id!r}", workflow.output, value))
    except InvalidInput as error:
        if _has_ended(scope):
            return value
        reason = to_run_error(error, f"the result of workflow {workflow.id!r}")
        raise StepFailed(reason) from error


def _has_ended(scope: Scope) -> bool:
    """Return whether an earlier process has ended the nested workflow of a scope."""
    parts, address = scope.journal.parts, scope.key.rpartition("#")[0]
    return parts is not None and bool(address) and parts.has_emitted(f"{address}:ended")


async def _run_nodes(scope: Scope, value: Any, start: StartPoint | None) -> Any:
    nodes = scope.workflow.nodes
    first = 0
    if start is not None:
        first = _enter_start_node(scope, start)
        value = start.values.get(scope.prefix + start.path[0])
    for index in range(first, len(nodes)):
        value = await _run_node(scope, nodes[index], value, start if index == first else None)
        if scope.options.per_step and not scope.prefix and index + 1 < len(nodes):
            raise PerStepPause
    return value


def _enter_start_node(scope: Scope, start: StartPoint) -> int:
    """Store the assumed outputs in ``scope``, and return the index of the first node to execute."""
    for step in scope.workflow.iter_steps():
        if scope.prefix + step.id in start.outputs:
            scope.outputs[step.id] = start.outputs[scope.prefix + step.id]
    step_ids = [[step.id for step in node.steps] for node in scope.workflow.nodes]
    return next(index for index, ids in enumerate(step_ids) if start.path[0] in ids)


async def _run_node(scope: Scope, node: Node, value: Any, start: StartPoint | None) -> Any:
    if type(node) is Single:  # the most frequent kind of node is tested first
        return await _run_step(scope, node.step, value, start=start)
    if not is_recording():
        return await _run_group(scope, node, value, start)
    kind = _NODE_KINDS[type(node)]
    attributes = {"mastra.workflow.id": scope.workflow.id, "mastra.workflow.node": kind}
    with start_span(f"workflow_{kind}", attributes):
        return await _run_group(scope, node, value, start)


async def _run_group(scope: Scope, node: Node, value: Any, start: StartPoint | None) -> Any:
    match node:
        case ForEach():
            return await _run_foreach(scope, node, value)
        case Loop():
            return await _run_loop(scope, node, value)
        case Parallel():
            return await _run_concurrently(scope, node.steps, value, start)
        case Branch():
            steps = await _select_steps(scope, node, value, start)
            return await _run_concurrently(scope, steps, value, start)
        case Sleep():
            return await _run_sleep(scope, node, value)
    raise TypeError(f"{node!r} is not a node of a workflow.")


async def _run_step(
    scope: Scope,
    step: Step[Any, Any],
    value: Any,
    address: StepAddress | None = None,
    start: StartPoint | None = None,
) -> Any:
    turns = scope.activity.turn_limit
    if not turns.try_begin():
        await turns.begin_later()
    address = address or scope.get_address(step.id)
    if step.workflow is not None:
        output = await _run_nested(scope, step, step.workflow, value, address, start)
    elif step.child is not None:
        from mastra_core.workflows.engine.child_runner import execute_child_step

        output = await execute_child_step(scope, step, value, address)
    else:
        resume = start.resume_data if start is not None else None
        output = await execute_step(scope, step, value, address, resume)
    scope.outputs[step.id] = output
    return output


async def _run_nested(
    scope: Scope,
    step: Step[Any, Any],
    workflow: WorkflowDefinition,
    value: Any,
    address: StepAddress,
    start: StartPoint | None,
) -> Any:
    journal, attempt = scope.journal, 1
    await journal.emit(
        f"{address.key}:started",
        StepStarted(step=address.path, payload=value, group=True, iteration=address.iteration),
    )
    while True:
        inner = scope.create_nested(workflow, address, f"{address.key}#{attempt}", value)
        begin = start.descend() if start else None
        outcome = await _find_or_run_nested(scope, inner, step, value, begin)
        if not outcome.again:
            break
        if step.retry is not None and attempt <= step.retry.count:
            await _wait_for_retry(scope, address, outcome, step.retry, attempt)
        elif not is_repeated(journal, address.key, attempt):
            break
        attempt, start = attempt + 1, None  # a start point counts for the first attempt only
    return await finish(scope, address, outcome, cancels_steps=inner.has_bailed)


async def _wait_for_retry(
    scope: Scope, address: StepAddress, outcome: Outcome, retry: Retry, attempt: int
) -> None:
    """Wait until the next attempt of a nested workflow, and emit a ``StepRetried`` event."""
    if seconds := retry.get_delay(attempt):
        until = time.time() + seconds
        key = f"{address.key}~{attempt}"
        sleep = functools.partial(scope.journal.sleep, key, until)
        await scope.activity.wait_for(key, sleep, is_timer=True)
    event = StepRetried(step=address.path, attempt=attempt + 1, error=outcome.error)
    await scope.journal.emit(f"{address.key}:again{attempt}", event)


async def _find_or_run_nested(
    scope: Scope, inner: Scope, step: Step[Any, Any], value: Any, start: StartPoint | None
) -> Outcome:
    """Execute a nested workflow, or return its outcome if the journal contains one.

    The outcome is recorded if the workflow failed or ended early, so that a repeated execution does
    not call its canceled steps.
    """
    parts, key = scope.journal.parts, inner.key.removesuffix(".")
    recorded = None if parts is None else parts.find(key)
    if recorded is not None:
        scope.update_state(recorded.state)
        return recorded
    outcome = await _run_nested_once(inner, step, value, start)
    if parts is not None and (inner.has_bailed or outcome.error is not None):
        parts.record(key, msgspec.structs.replace(outcome, state=dict(scope.changes)))
    return outcome


async def _run_nested_once(
    inner: Scope, step: Step[Any, Any], value: Any, start: StartPoint | None
) -> Outcome:
    try:
        return Outcome(value=await _run_workflow(inner, value, start, step.timeout))
    except StepFailed as failed:
        again = step.retry is not None and step.retry.covers(failed.error.name)
        return Outcome(kind="failed", error=failed.error, again=again)


async def _select_steps(
    scope: Scope, node: Branch, value: Any, start: StartPoint | None
) -> list[Step[Any, Any]]:
    """Return the steps whose condition is true.

    If the run begins in one of the steps, the function evaluates no condition, but returns this
    step and the steps whose output is known.
    """
    if start is not None:
        return [step for step in node.steps if step.id in scope.outputs or step.id == start.path[0]]
    pairs = zip(node.conditions, node.steps, strict=True)
    selected = []
    for condition, step in pairs:
        if await evaluate(scope, condition, value, scope.get_address(step.id), bool):
            selected.append(step)
    return selected


async def _run_concurrently(
    scope: Scope, steps: Sequence[Step[Any, Any]], value: Any, start: StartPoint | None
) -> Any:
    forks = [scope.fork() for _ in steps]
    known = set() if start is None else {*scope.outputs} - {start.path[0]}
    jobs = [
        functools.partial(
            _run_step,
            fork,
            step,
            value,
            None,
            start if start and start.path[0] == step.id else None,
        )
        for fork, step in zip(forks, steps, strict=True)
        if step.id not in known
    ]
    if jobs:
        await scope.activity.run_concurrently(jobs)
        scope.join(forks)
    return {step.id: scope.outputs[step.id] for step in steps}


async def _run_foreach(scope: Scope, node: ForEach, value: Any) -> Any:
    step, address = node.step, scope.get_address(node.step.id)
    await scope.journal.emit(
        f"{address.key}:started",
        StepStarted(step=address.path, payload=value, group=True, iteration=address.iteration),
    )
    if not isinstance(value, list):
        message = f"The foreach step {step.id!r} needs a list, but its input is {value!r:.50}."
        error = RunError(message=message, name="InvalidInput")
        return await finish(scope, address, Outcome(kind="failed", error=error))
    try:
        outputs = await _run_items(scope, node, value, address)
    except StepFailed as failed:
        return await finish(scope, address, Outcome(kind="failed", error=failed.error))
    except WorkflowExit as exit_:
        return await finish(scope, address, Outcome(kind="bailed", value=exit_.result))
    scope.outputs[step.id] = outputs
    return await finish(scope, address, Outcome(value=outputs))


async def _run_items(
    scope: Scope, node: ForEach, values: list[Any], address: StepAddress
) -> list[Any]:
    outputs: list[Any] = [None] * len(values)
    forks: dict[int, Scope] = {}

    async def run_worker(indices: Iterator[int]) -> None:
        for index in indices:
            item = StepAddress(f"{address.path}[{index}]", f"{address.key}[{index}]")
            fork = forks[index] = scope if node.concurrency == 1 else scope.fork()
            outputs[index] = await _run_step(fork, node.step, values[index], item)

    indices = iter(range(len(values)))  # the workers share it, so each item is executed once
    if node.concurrency == 1:
        await run_worker(indices)
        return outputs
    count = min(node.concurrency, len(values))
    await scope.activity.run_concurrently([functools.partial(run_worker, indices)] * count)
    scope.join(forks[index] for index in sorted(forks))
    return outputs


async def _run_loop(scope: Scope, node: Loop, value: Any) -> Any:
    step, base = node.step, scope.get_address(node.step.id)
    iteration = 0
    while True:
        iteration += 1
        address = StepAddress(base.path, f"{base.key}@{iteration}", iteration)
        value = await _run_step(scope, step, value, address)
        if await evaluate(scope, node.condition, value, address, bool) is node.until:
            return value
        await asyncio.sleep(0)  # a loop whose steps never wait must not block the event loop


async def _run_sleep(scope: Scope, node: Sleep, value: Any) -> Any:
    address = scope.get_address(node.id)
    await scope.journal.emit(
        f"{address.key}:started", StepStarted(step=address.path, payload=value)
    )
    try:
        seconds = await _compute_delay(scope, node, value, address)
    except StepFailed as failed:
        return await finish(scope, address, Outcome(kind="failed", error=failed.error))
    await wait(scope, address, seconds)
    return await finish(scope, address, Outcome(value=value))


async def _compute_delay(scope: Scope, node: Sleep, value: Any, address: StepAddress) -> float:
    """Return the seconds from now until the end of a sleep node."""
    convert = _to_timestamp if node.until else _parse_duration
    setting: Any = node.moment if node.until else node.duration
    if node.function is not None:
        number = await evaluate(scope, node.function, value, address, convert)
    else:
        number = convert(setting)
    return max(0.0, number - time.time()) if node.until else float(number)


def _parse_duration(value: Any) -> float:
    seconds = float(value)
    if not seconds <= MAX_SECONDS:  # also for NaN
        raise InvalidInput(f"{value!r} is not a valid number of seconds.")
    return max(0.0, seconds)


def _to_timestamp(value: Any) -> float:
    """Convert an aware datetime to seconds since the epoch."""
    if not isinstance(value, dt.datetime) or value.tzinfo is None:
        raise InvalidInput(f"{value!r} is not a datetime with a time zone.")
    return value.timestamp()
