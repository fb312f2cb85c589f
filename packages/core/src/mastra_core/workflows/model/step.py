"""The decorator that converts a typed function to a step."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, overload

from mastra_core.errors import ConfigError
from mastra_core.workflows.model.definition import Step
from mastra_core.workflows.model.function import inspect_function
from mastra_core.workflows.model.retry import Retry, as_retry
from mastra_core.workflows.model.suspend_calls import calls_suspend

if TYPE_CHECKING:
    from mastra_core.workflows.model.signatures import (
        KeywordContext,
        R,
        StepDecorator,
        T,
        WithInput,
        WithoutInput,
    )

__all__ = ("step",)


if TYPE_CHECKING:

    @overload
    def step(function: WithoutInput[Awaitable[R]], /) -> Step[Any, R]: ...
    @overload
    def step(function: WithoutInput[R], /) -> Step[Any, R]: ...
    @overload
    def step(function: WithInput[T, Awaitable[R]], /) -> Step[T, R]: ...
    @overload
    def step(function: WithInput[T, R], /) -> Step[T, R]: ...
    @overload
    def step(function: KeywordContext[T, Awaitable[R]], /) -> Step[T, R]: ...
    @overload
    def step(function: KeywordContext[T, R], /) -> Step[T, R]: ...
    @overload
    def step(function: Callable[[], Awaitable[R]], /) -> Step[Any, R]: ...
    @overload
    def step(function: Callable[[], R], /) -> Step[Any, R]: ...
    @overload
    def step(
        *,
        id: str = ...,
        description: str = ...,
        resume: Any = ...,
        suspend: Any = ...,
        retry: Retry | int | None = ...,
        timeout: float | None = ...,
    ) -> StepDecorator: ...


def step(
    function: Callable[..., Any] | None = None,
    /,
    *,
    id: str = "",
    description: str = "",
    resume: Any = None,
    suspend: Any = None,
    retry: Retry | int | None = None,
    timeout: float | None = None,
) -> Any:
    """Create a step from a typed function; use it as a decorator, also with arguments.

    The function takes an input, a ``StepContext``, both or neither.

    :param function: the function.
    :param id: the id; the name of the function by default.
    :param description: the description; the docstring of the function by default.
    :param resume: the type of the data that resumes the step.
    :param suspend: the type of the payload of ``suspend``.
    :param retry: the retry policy, or the number of retries; by default, the retry policy of the
        workflow.
    :param timeout: the seconds that one attempt may take.
    :raises ConfigError: when the function takes more than one input or has no name, when the input
        has no type, or when an argument is invalid.
    """

    def make(function: Callable[..., Any]) -> Step[Any, Any]:
        call = inspect_function(function, require_types=True)
        if not id and not hasattr(function, "__name__"):
            raise ConfigError(f"{function!r} has no name.", "Set an id: step(id='...').")
        return Step(
            id=id or function.__name__,
            description=description or inspect.getdoc(function) or "",
            call=call,
            input=call.input,
            output=call.output,
            resume=resume,
            suspend=suspend,
            retry=as_retry(retry),
            timeout=timeout,
            suspends=suspend is not None or (bool(call.context_name) and calls_suspend(function)),
        )

    return make if function is None else make(function)
