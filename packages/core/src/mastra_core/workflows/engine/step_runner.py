"""One step of a run: called, tried again, suspended and resumed, until it has ended."""

from __future__ import annotations

import asyncio
import functools
import time
from collections.abc import Callable
from typing import Any

from mastra_core.errors import InvalidInput, MastraError
from mastra_core.logger import logger_of
from mastra_core.redaction import words_of
from mastra_core.schema import validate
from mastra_core.telemetry import active, note, span
from mastra_core.workflows.engine.outcome import Outcome, RunError
from mastra_core.workflows.engine.run_events import (
    StepEnded,
    StepRetried,
    StepStarted,
    StepSuspended,
    StepWaiting,
    StepWrote,
)
from mastra_core.workflows.engine.scope import Scope
from mastra_core.workflows.engine.start import Place
from mastra_core.workflows.engine.tasks import Expired, within
from mastra_core.workflows.model.function import Function
from mastra_core.workflows.model.retry import Retry
from mastra_core.workflows.model.step import Step
from mastra_core.workflows.model.step_context import Left, StepContext

__all__ = ("Bailed", "StepFailed", "ask", "ended", "execute", "pause", "told")


class StepFailed(Exception):
    """A step failed for good; ``error`` is what a caller may see of it."""

    def __init__(self, error: RunError) -> None:
        super().__init__(error.message)
        self.error = error


class Bailed(Exception):
    """A step ended its workflow early, with a result."""

    def __init__(self, result: Any) -> None:
        super().__init__("bailed")
        self.result = result


async def execute(
    scope: Scope, item: Step[Any, Any], value: Any, place: Place, resume: Any = None
) -> Any:
    """The output of a step that is no workflow.

    :raises StepFailed, Bailed:
    """
    journal, key = scope.journal, place.key
    await journal.emit(f"{key}:started", StepStarted(step=place.path, payload=value))
    retry: Any = item.retry or scope.workflow.retry
    turn = attempt = 1
    kept = None
    while True:
        call = functools.partial(_call, scope, item, value, place, (resume, kept), attempt, turn)
        outcome = await journal.step(f"{key}#{turn}", call)
        if outcome.state:
            scope.change(outcome.state)
        if outcome.kind == "suspended":
            resume, kept = await _suspended(scope, place, outcome, turn), outcome.kept
            attempt = 0
        elif not outcome.again or attempt > retry.count:
            return await ended(scope, place, outcome)
        else:
            await _again(scope, place, outcome, retry, attempt, turn)
        attempt, turn = attempt + 1, turn + 1


async def ended(scope: Scope, place: Place, outcome: Outcome) -> Any:
    """Tell that a step is over; its output, where it has one.

    :raises StepFailed, Bailed:
    """
    event = StepEnded(
        step=place.path,
        output=outcome.value,
        error=outcome.error,
        bailed=outcome.kind == "bailed",
    )
    await scope.journal.emit(f"{place.key}:ended", event)
    if outcome.error is not None:
        raise StepFailed(outcome.error)
    if outcome.kind == "bailed":
        raise Bailed(outcome.value)
    return outcome.value


async def ask(
    scope: Scope, function: Function, value: Any, place: Place, form: Callable[[Any], Any]
) -> Any:
    """What a function that decides says, asked once a run.

    :param form: makes JSON builtins of the answer, or raises.
    :raises StepFailed:
    """

    async def call() -> Outcome:
        try:
            answer = await function.call(value, scope.context(place.path, place))
            return Outcome(value=form(answer))
        except Exception as error:  # noqa: BLE001  # whatever users raise fails the run
            reason = told(error, f"{function.name} of step {place.path!r}")
            return Outcome(kind="failed", error=reason)

    outcome = await scope.journal.step(f"{place.key}?", call)
    if outcome.error is not None:
        raise StepFailed(outcome.error)
    return outcome.value


async def pause(scope: Scope, place: Place, seconds: float, name: str = "") -> None:
    """Let time pass, as long as a journal can survive."""
    until = time.time() + seconds
    event = StepWaiting(step=place.path, wakes_at=int(until * 1000))
    await scope.journal.emit(f"{place.key}:waiting{name}", event)
    key = f"{place.key}~{name}"
    clock = functools.partial(scope.journal.sleep, key, until)
    await scope.activity.waiting(key, clock, asleep=True)


async def _suspended(scope: Scope, place: Place, outcome: Outcome, turn: int) -> Any:
    key = f"{place.key}!{turn}"
    event = StepSuspended(step=place.path, payload=outcome.value, label=outcome.label, key=key)
    await scope.journal.emit(f"{place.key}:suspended{turn}", event)
    return await scope.activity.waiting(key, functools.partial(scope.journal.wait, key))


async def _again(
    scope: Scope, place: Place, outcome: Outcome, retry: Retry, attempt: int, turn: int
) -> None:
    if seconds := retry.wait(attempt):
        await pause(scope, place, seconds, str(turn))
    event = StepRetried(step=place.path, attempt=attempt + 1, error=outcome.error)
    await scope.journal.emit(f"{place.key}:again{turn}", event)


async def _call(
    scope: Scope,
    item: Step[Any, Any],
    value: Any,
    place: Place,
    before: tuple[Any, Any],
    attempt: int,
    turn: int,
) -> Outcome:
    context = None
    if item.call.context_name:  # many a step takes none, and it costs as much as a short step
        writer = functools.partial(_write, scope, place, turn)
        context = scope.context(item, place, attempt=attempt, writer=writer)
        context.resume_data, context.kept = before
    try:
        if context is not None and context.resume_data is not None and item.resume is not None:
            context.resume_data = validate(item.resume, context.resume_data)
        output = await _executed(scope, item, value, context)
    except Left as left:
        return left.outcome
    except Exception as error:  # noqa: BLE001  # whatever users raise fails the step
        return _failed(scope, item, error)
    finally:
        if context is not None:
            context.canceled = True
    return (
        Outcome(value=output) if context is None else Outcome(value=output, state=context.changes)
    )


def _failed(scope: Scope, item: Step[Any, Any], error: Exception) -> Outcome:
    """Input that does not fit will not fit the next time either."""
    retry: Any = item.retry or scope.workflow.retry
    worth = retry is not None and isinstance(error, retry.on)
    reason = told(error, f"step {item.id!r} of workflow {scope.workflow.id!r}")
    again = worth and not isinstance(error, InvalidInput)
    return Outcome(kind="failed", error=reason, again=again)


async def _write(scope: Scope, place: Place, turn: int, number: int, chunk: Any) -> None:
    event = StepWrote(step=place.path, chunk=chunk)
    await scope.journal.emit(f"{place.key}:wrote{turn}.{number}", event)


async def _executed(
    scope: Scope, item: Step[Any, Any], value: Any, context: StepContext | None
) -> Any:
    job = item.execute(value, context)
    if item.timeout is not None:
        job = _limited(item, job)
    if not active():
        return await job
    attributes = {"mastra.workflow.id": scope.workflow.id, "mastra.step.id": item.id}
    with span(f"workflow_step {item.id}", attributes) as current:
        note(current, input=value)
        output = await job
        note(current, output=output)
        return output


async def _limited(item: Step[Any, Any], job: Any) -> Any:
    limit: Any = item.timeout
    try:
        return await within(job, asyncio.sleep(limit))
    except Expired:
        raise TimeoutError(f"The step {item.id!r} took longer than {limit:g} s.") from None


def told(error: Exception, where: str) -> RunError:
    """What a caller may see of an error; the log gets the traceback."""
    if not isinstance(error, MastraError):
        logger_of("mastra.workflows").error("%s failed", where, exc_info=error)
    message = error.message if isinstance(error, MastraError) else words_of(error)
    return RunError(message=message, name=type(error).__name__)
