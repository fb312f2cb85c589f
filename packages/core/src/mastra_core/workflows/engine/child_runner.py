"""Execute a step that starts a separate run of another workflow."""

from __future__ import annotations

import functools
from typing import Any

import msgspec

from mastra_core.errors import ConfigError, MastraError
from mastra_core.workflows.engine.outcome import Outcome, RunError
from mastra_core.workflows.engine.run_events import RunFinished, StepStarted, StepWaiting
from mastra_core.workflows.engine.run_options import StepAddress
from mastra_core.workflows.engine.scope import Scope
from mastra_core.workflows.engine.step_runner import (
    finish,
    is_repeated,
    to_run_error,
    wait_for_retry,
)
from mastra_core.workflows.model.definition import Step

__all__ = ("execute_child_step",)


async def execute_child_step(
    scope: Scope, step: Step[Any, Any], value: Any, address: StepAddress
) -> Any:
    """Start a run, wait for its end if the step waits, and return the output of the step.

    Each attempt of the step starts a run of its own. An attempt that is repeated after a crash
    finds the run that it started before the crash.

    :param scope: the scope of the step's workflow.
    :param step: the step.
    :param value: the input of the run.
    :param address: the address of the step in the present run.
    :returns: the result of the started run; or the id of that run, if the step does not wait.
    :raises StepFailed: when the run fails and is not retried.
    """
    journal, key = scope.journal, address.key
    event = StepStarted(step=address.path, payload=value, iteration=address.iteration)
    await journal.emit(f"{key}:started", event)
    retry: Any = step.retry or scope.workflow.retry
    attempt = 1
    while True:
        call = functools.partial(_run_child, scope, step, value, address, attempt)
        outcome = await journal.call_once(f"{key}#{attempt}", call)
        name = outcome.error.name if outcome.again and outcome.error else ""
        if name and retry is not None and attempt <= retry.count and retry.covers(name):
            await wait_for_retry(scope, address, outcome, retry, attempt, attempt)
        elif not name or not is_repeated(journal, key, attempt):
            return await finish(scope, address, outcome)
        attempt += 1


async def _run_child(
    scope: Scope, step: Step[Any, Any], value: Any, address: StepAddress, attempt: int
) -> Outcome:
    start, key = scope.options.start_child, f"{address.key}!{attempt}"
    try:
        if start is None:
            raise ConfigError(
                f"The step {step.id!r} starts a separate run, which needs a durable engine.",
                'Pass engine="durable" to Mastra.',
            )
        run_id, parts = "", scope.journal.parts
        waiting_key = f"{address.key}:waiting{attempt}"
        if not step.awaits_child or parts is None or not parts.has_emitted(waiting_key):
            run_id = await start((key, step.awaits_child), step.child, value)
    except MastraError as error:
        reason = to_run_error(error, f"step {step.id!r} of workflow {scope.workflow.id!r}")
        return Outcome(kind="failed", error=reason)
    if not step.awaits_child:
        return Outcome(value=run_id)
    if run_id:
        await scope.journal.emit(waiting_key, StepWaiting(step=address.path, run_id=run_id))
    wait = functools.partial(scope.journal.wait, key)
    answer = await scope.activity.wait_for(key, wait, is_timer=True)
    if not run_id and answer["status"] == "canceled":
        run_id = await start((key, True), step.child, value)  # finds the run
    return _to_outcome(run_id, answer)


def _to_outcome(run_id: str, answer: object) -> Outcome:
    end = msgspec.convert(answer, RunFinished)
    if end.status == "success":
        return Outcome(value=end.result)
    error = end.error or RunError(message=f"The run {run_id!r} was canceled.", name="RunCanceled")
    return Outcome(kind="failed", error=error, again=end.status == "failed")
