"""The context of a step: the data of its run, and methods such as ``suspend``."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar, overload

from mastra_core.arguments.argument_types import check_types
from mastra_core.errors import InvalidInput, NotFound
from mastra_core.schema import dump, validate_named
from mastra_core.workflows.engine.outcome import Outcome
from mastra_core.workflows.model.type_variables import TypedOutput

if TYPE_CHECKING:
    from mastra_core.tools import Tool
    from mastra_core.workflows.engine.step_parts import StepParts

T = TypeVar("T")

__all__ = ("StepContext", "StepExit")


class StepExit(BaseException):
    """Ends the execution of a step that calls ``suspend`` or ``bail``.

    The class is a ``BaseException``, so that ``except Exception`` in a step does not catch it.

    :param outcome: the outcome of the step.
    """

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.kind)
        self.outcome = outcome


class StepContext:
    """The context of one call of a step. A step function can have a parameter of this type.

    ``kept`` is the value that the step passed to ``suspend`` as ``keep``. When the run no longer
    waits for the step, ``canceled`` is true, and a step that is a coroutine is cancelled. A plain
    function, which runs in a thread, should check ``canceled`` regularly and return if it is true.

    ``parts`` records the finished calls of a step that runs an agent. ``parts`` is ``None`` if the
    step runs no agent, or if the run is not durable.

    :param run_id: the id of the run.
    :param workflow_id: the id of the workflow.
    :param step_id: the id of the step.
    :param path: the path of the step: ``"pay"``, ``"each[2]"``, ``"checkout.pay"``.
    :param init_data: the input of the workflow.
    :param resume_data: the data passed to ``resume``, of the step's ``resume`` type; ``None`` on
        the first execution.
    :param request_context: values from the caller and from middleware.
    :param resource: the owner of the run; empty for a run without an owner.
    :param writer: sends a numbered chunk to the readers of the run.
    :param attempt: the number of the attempt, from 1.
    :param iteration: the number of the loop's iteration, from 1; 0 outside a loop.
    :param outputs: the outputs of earlier steps, by id.
    :param state: the shared state.
    :param state_type: the type of the shared state.
    :param suspend_type: the type of the payload of ``suspend``.
    """

    __slots__ = (
        "_changes", "_has_input_copy", "_init_data", "_outputs", "_state", "_state_type",
        "_suspend_type", "_writer", "_written", "attempt", "canceled", "iteration", "kept", "parts",
        "path", "request_context", "resource", "resume_data", "run_id", "step_id", "workflow_id",
    )  # fmt: skip

    def __init__(
        self,
        *,
        run_id: str,
        workflow_id: str,
        step_id: str,
        path: str = "",
        init_data: Any = None,
        resume_data: Any = None,
        request_context: Mapping[str, Any] | None = None,
        resource: str = "",
        writer: Callable[[int, Any], Awaitable[None]] | None = None,
        attempt: int = 1,
        iteration: int = 0,
        outputs: Mapping[str, Any] | None = None,
        state: Mapping[str, Any] | None = None,
        state_type: Any = None,
        suspend_type: Any = None,
    ) -> None:
        self.run_id = run_id
        self.workflow_id = workflow_id
        self.step_id = step_id
        self.path = path or step_id
        self.resume_data = resume_data
        self.request_context: Mapping[str, Any] = {} if request_context is None else request_context
        self.resource = resource
        self.kept: Any = None
        self.parts: StepParts | None = None
        self.attempt = attempt
        self.iteration = iteration
        self.canceled = False
        self._init_data = init_data
        self._has_input_copy = False
        self._outputs = outputs or {}
        self._state = state or {}
        self._state_type = state_type
        self._suspend_type = suspend_type
        self._changes: dict[str, Any] = {}
        self._writer = writer
        self._written = 0

    @property
    def init_data(self) -> Any:
        """A copy of the input of the workflow, which the step may change."""
        if not self._has_input_copy:
            self._init_data, self._has_input_copy = dump(self._init_data), True
        return self._init_data

    @property
    def state(self) -> Any:
        """The shared state, in the workflow's ``state`` type; ``set_state`` changes the state."""
        return validate_named("state", self._effective_state_type, {**self._state, **self._changes})

    def set_state(self, changes: Mapping[str, Any] | None = None, /, **more: Any) -> None:
        """Set fields of the shared state, and keep its other fields.

        The changes of concurrent steps become visible only after all of these steps have ended.

        :param changes: the new values by field.
        :param more: further new values, by field.
        :raises InvalidInput: when the new state does not fit its type.
        """
        check_types({"changes": changes}, StepContext.set_state.__annotations__, InvalidInput)
        new = dump({**(changes or {}), **more})
        state = {**self._state, **self._changes, **new}
        validated = dump(validate_named("state", self._effective_state_type, state))
        self._changes.update({key: validated.get(key, value) for key, value in new.items()})

    @property
    def changes(self) -> dict[str, Any]:
        """The fields of the shared state that the step has changed so far."""
        return self._changes

    if TYPE_CHECKING:

        @overload
        def output(self, step: TypedOutput[T], /) -> T: ...
        @overload
        def output(self, step: str | Tool, /) -> Any: ...

    def output(self, step: str | TypedOutput[Any] | Tool, /) -> Any:
        """Return the output of an earlier step of this workflow.

        :param step: the step or its id. For a step, the result has the output type of the step. For
            an id, the result is a copy of the output as JSON builtins.
        :raises NotFound: when the step has no output yet.
        """
        name = step if isinstance(step, str) else getattr(step, "id", repr(step))
        if name not in self._outputs:
            raise NotFound(
                f"The step {name!r} has no output.",
                f"These steps have an output: {', '.join(self._outputs) or 'none'}.",
            )
        value = self._outputs[name]
        if isinstance(step, str):
            return dump(value)
        return validate_named(f"output of step {name!r}", step.output, value)

    def suspend(self, payload: Any = None, *, label: str = "", keep: Any = None) -> NoReturn:
        """Suspend the step; ``resume`` executes the step again from its beginning.

        :param payload: data for the caller of ``resume``, in the step's ``suspend`` type.
        :param label: another name by which the step can be resumed.
        :param keep: a JSON-serializable value that the step gets back as ``kept``; no caller sees
            it.
        :raises InvalidInput: when the payload does not fit the ``suspend`` type, or the label is no
            text.
        """
        if not isinstance(label, str):
            raise InvalidInput(f"The label {label!r} of suspend is not a text.")
        data = dump(payload)
        if self._suspend_type is not None and data is not None:
            validate_named(f"suspend payload of step {self.step_id!r}", self._suspend_type, data)
        outcome = Outcome(
            kind="suspended", value=data, kept=dump(keep), label=label, state=self._changes
        )
        raise StepExit(outcome)

    def bail(self, result: Any = None) -> NoReturn:
        """End the workflow successfully; in a nested workflow, end only the nested workflow.

        :param result: the result of the workflow.
        """
        raise StepExit(Outcome(kind="bailed", value=dump(result), state=self._changes))

    async def write(self, chunk: Any) -> None:
        """Send a value to the readers of the run.

        :param chunk: the value; it must be JSON-serializable.
        """
        if self._writer is not None:
            self._written += 1
            await self._writer(self._written, dump(chunk))

    @property
    def _effective_state_type(self) -> Any:
        return dict[str, Any] if self._state_type is None else self._state_type
