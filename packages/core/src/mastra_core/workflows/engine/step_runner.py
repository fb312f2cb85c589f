"""Execute one step until it has ended: call it, retry it, suspend and resume it."""

from __future__ import annotations

import asyncio
import functools
import time
from collections.abc import Callable
from typing import Any

import msgspec

from mastra_core.errors import Forbidden, InvalidInput, MastraError
from mastra_core.json_repair import repair_text
from mastra_core.logger import get_logger
from mastra_core.logs.log_fields import set_log_step
from mastra_core.redaction import safe_message
from mastra_core.schema import dump, validate_named
from mastra_core.telemetry import annotate, is_recording, link_trace, start_span
from mastra_core.workflows.engine.journal import Journal
from mastra_core.workflows.engine.outcome import Outcome, RunError
from mastra_core.workflows.engine.run_events import (
    StepEnded,
    StepRetried,
    StepStarted,
    StepSuspended,
    StepWaiting,
    StepWrote,
)
from mastra_core.workflows.engine.run_options import BATCH_SIZE, StepAddress
from mastra_core.workflows.engine.scope import Scope
from mastra_core.workflows.engine.step_parts import open_step_parts
from mastra_core.workflows.engine.tasks import DeadlineExceeded, run_with_deadline
from mastra_core.workflows.model.definition import Step
from mastra_core.workflows.model.function import Function
from mastra_core.workflows.model.retry import Retry
from mastra_core.workflows.model.step_context import StepContext, StepExit

__all__ = (
    "StepFailed",
    "WorkflowExit",
    "evaluate",
    "execute_step",
    "finish",
    "is_repeated",
    "to_run_error",
    "wait",
    "wait_for_retry",
)


class StepFailed(Exception):
    """A step failed and is not retried.

    :param error: the error as callers may see it.
    """

    def __init__(self, error: RunError) -> None:
        super().__init__(error.message)
        self.error = error


class WorkflowExit(Exception):
    """A step ended its workflow early with ``bail``.

    :param result: the result of the workflow.
    """

    def __init__(self, result: Any) -> None:
        super().__init__("bailed")
        self.result = result


async def execute_step(
    scope: Scope, step: Step[Any, Any], value: Any, address: StepAddress, resume_data: Any = None
) -> Any:
    """Execute a step that is not a workflow, and return its output.

    :param scope: the scope of the step's workflow.
    :param step: the step.
    :param value: the input of the step.
    :param address: the address of the step in the run.
    :param resume_data: the data that resumes the step, if the execution begins in this step.
    :returns: the output, as JSON builtins.
    :raises StepFailed: when the step fails and is not retried.
    :raises WorkflowExit: when the step ends its workflow by ``bail``.
    """
    journal, key = scope.journal, address.key
    event = StepStarted(step=address.path, payload=value, iteration=address.iteration)
    await journal.emit(f"{key}:started", event)
    retry: Any = step.retry or scope.workflow.retry
    call_number = attempt = 1  # after a suspend, only the number of attempts starts again at 1
    kept = None
    while True:
        resume_state = (resume_data, kept)
        call = functools.partial(
            _call_step, scope, step, value, address, resume_state, attempt, call_number
        )
        outcome = await journal.call_once(f"{key}#{call_number}", call)
        if outcome.state:
            scope.update_state(outcome.state)
        if outcome.kind == "suspended":
            resume_data = await _wait_for_resume(scope, address, outcome, call_number)
            kept = outcome.kept
            attempt = 0
        elif outcome.again and retry is not None and attempt <= retry.count:
            await wait_for_retry(scope, address, outcome, retry, attempt, call_number)
        elif not outcome.again or not is_repeated(journal, key, call_number):
            return await finish(scope, address, outcome)
        attempt, call_number = attempt + 1, call_number + 1


async def finish(
    scope: Scope, address: StepAddress, outcome: Outcome, *, cancels_steps: bool = False
) -> Any:
    """Emit the end of a step, and return its output.

    :param scope: the scope of the step's workflow.
    :param address: the address of the step.
    :param outcome: the outcome of the step.
    :param cancels_steps: whether the step is a group whose unfinished steps end with it.
    :returns: the output.
    :raises StepFailed: when the outcome is a failure.
    :raises WorkflowExit: when the step ended its workflow by ``bail``.
    """
    event = StepEnded(
        step=address.path,
        output=outcome.value,
        error=outcome.error,
        bailed=outcome.kind == "bailed",
        cancels_steps=cancels_steps,
    )
    await scope.journal.emit(f"{address.key}:ended", event)
    if outcome.error is not None:
        raise StepFailed(outcome.error)
    if outcome.kind == "bailed":
        raise WorkflowExit(outcome.value)
    return outcome.value


async def evaluate(
    scope: Scope,
    function: Function,
    value: Any,
    address: StepAddress,
    convert: Callable[[Any], Any],
) -> Any:
    """Evaluate a condition or the duration of a sleep, at most once in a run.

    :param scope: the scope of the workflow.
    :param function: the function of the user.
    :param value: the previous output.
    :param address: the address of the step or sleep that the function belongs to.
    :param convert: converts the result to JSON builtins, or raises.
    :returns: the converted result.
    :raises StepFailed: when the function or ``convert`` raises.
    """

    async def call() -> Outcome:
        try:
            result = await function.call(value, scope.build_context(address.path, address))
            return Outcome(value=convert(result))
        except Exception as error:  # noqa: BLE001  # any exception of user code fails the run
            reason = to_run_error(error, f"{function.name} of step {address.path!r}")
            return Outcome(kind="failed", error=reason)

    outcome = await scope.journal.call_once(f"{address.key}?", call)
    if outcome.error is not None:
        raise StepFailed(outcome.error)
    return outcome.value


async def wait(scope: Scope, address: StepAddress, seconds: float, name: str = "") -> None:
    """Wait for a number of seconds; the journal stores the time when the wait ends.

    :param scope: the scope of the workflow.
    :param address: the address of the step or sleep that waits.
    :param seconds: the length of the wait.
    :param name: distinguishes several waits of one step.
    """
    until = time.time() + seconds
    event = StepWaiting(step=address.path, wakes_at=int(until * 1000))
    await scope.journal.emit(f"{address.key}:waiting{name}", event)
    key = f"{address.key}~{name}"
    sleep = functools.partial(scope.journal.sleep, key, until)
    await scope.activity.wait_for(key, sleep, is_timer=True)


async def _wait_for_resume(
    scope: Scope, address: StepAddress, outcome: Outcome, call_number: int
) -> Any:
    key = f"{address.key}!{call_number}"
    event = StepSuspended(step=address.path, payload=outcome.value, label=outcome.label, key=key)
    await scope.journal.emit(f"{address.key}:suspended{call_number}", event)
    return await scope.activity.wait_for(key, functools.partial(scope.journal.wait, key))


def is_repeated(journal: Journal, key: str, number: int) -> bool:
    """Return whether an earlier process has begun the call after a failed one.

    The retry policy of that process may have allowed more retries than the present one.

    :param journal: the journal of the run.
    :param key: the key of the step.
    :param number: the number of the failed call.
    """
    parts = journal.parts
    return parts is not None and (
        parts.find(f"{key}#{number + 1}") is not None or parts.has_emitted(f"{key}:again{number}")
    )


async def wait_for_retry(
    scope: Scope,
    address: StepAddress,
    outcome: Outcome,
    retry: Retry,
    attempt: int,
    call_number: int,
) -> None:
    """Wait until the next attempt of a step, and emit a ``StepRetried`` event.

    :param scope: the scope of the step's workflow.
    :param address: the address of the step.
    :param outcome: the outcome of the failed attempt.
    :param retry: the retry policy.
    :param attempt: the number of the failed attempt.
    :param call_number: which call of the step this is, counted from 1.
    """
    if seconds := retry.get_delay(attempt):
        await wait(scope, address, seconds, str(call_number))
    event = StepRetried(step=address.path, attempt=attempt + 1, error=outcome.error)
    await scope.journal.emit(f"{address.key}:again{call_number}", event)


async def _call_step(
    scope: Scope,
    step: Step[Any, Any],
    value: Any,
    address: StepAddress,
    resume_state: tuple[Any, Any],
    attempt: int,
    call_number: int,
) -> Outcome:
    context = None
    if step.call.context_name:  # a context takes as long to build as a short step to execute
        writer = functools.partial(_write_chunk, scope, address, call_number)
        context = scope.build_context(step, address, attempt=attempt, writer=writer)
        context.resume_data, context.kept = map(dump, resume_state)  # the step may change them
        if step.kind == "agent":
            context.parts = open_step_parts(scope.journal, address, call_number)
    try:
        if context is not None and context.resume_data is not None and step.resume is not None:
            try:
                context.resume_data = validate_named(
                    f"resume data of step {step.id!r}", step.resume, context.resume_data
                )
            except InvalidInput as error:
                return msgspec.structs.replace(_to_failure(scope, step, error), refused=True)
        output = await _execute_traced(scope, step, value, context)
    except StepExit as left:
        return left.outcome
    except Exception as error:  # noqa: BLE001  # any exception of user code fails the step
        return _to_failure(scope, step, error)
    finally:
        if context is not None:
            context.canceled = True
    return (
        Outcome(value=output) if context is None else Outcome(value=output, state=context.changes)
    )


def _to_failure(scope: Scope, step: Step[Any, Any], error: Exception) -> Outcome:
    """Convert an exception to an outcome; never retry invalid input or a declined tool."""
    retry: Any = step.retry or scope.workflow.retry
    covered = retry is not None and isinstance(error, retry.on)
    reason = to_run_error(error, f"step {step.id!r} of workflow {scope.workflow.id!r}")
    again = covered and not isinstance(error, InvalidInput | Forbidden)
    return Outcome(kind="failed", error=reason, again=again)


async def _write_chunk(
    scope: Scope, address: StepAddress, call_number: int, chunk_number: int, chunk: Any
) -> None:
    event = StepWrote(step=address.path, chunk=chunk)
    await scope.journal.emit(f"{address.key}:wrote{call_number}.{chunk_number}", event)
    if chunk_number % BATCH_SIZE == 0:
        await asyncio.sleep(0)  # a step that only writes must not block the event loop


async def _execute_traced(
    scope: Scope, step: Step[Any, Any], value: Any, context: StepContext | None
) -> Any:
    set_log_step(step.id)
    job = step.execute(value, context)
    if step.timeout is not None:
        job = _apply_timeout(step, job)
    if not is_recording():
        return await job
    attributes = {"mastra.workflow.id": scope.workflow.id, "mastra.step.id": step.id}
    links: tuple[Any, ...] = ()
    if context is not None and context.resume_data is not None:
        links = link_trace(scope.options.resumed_by)
    with start_span(f"workflow_step {step.id}", attributes, links=links) as current:
        annotate(current, input=value)
        try:
            output = await job
        except StepExit as left:
            if current is not None and left.outcome.kind == "suspended":
                current.add_event("suspended")
            raise
        annotate(current, output=output)
        return output


async def _apply_timeout(step: Step[Any, Any], job: Any) -> Any:
    limit: Any = step.timeout
    try:
        return await run_with_deadline(job, asyncio.sleep(limit))
    except DeadlineExceeded:
        raise TimeoutError(f"The step {step.id!r} took longer than {limit:g} s.") from None


def to_run_error(error: Exception, source: str) -> RunError:
    """Convert an exception to an error for callers, and log its traceback.

    :param error: the exception.
    :param source: the part of the run that failed, for the log: ``step 'pay' of workflow 'w'``.
    """
    if not isinstance(error, MastraError):
        get_logger("mastra.workflows").error("%s failed", source, exc_info=error)
    message = repair_text(error.message) if isinstance(error, MastraError) else safe_message(error)
    return RunError(message=message, name=type(error).__name__)
