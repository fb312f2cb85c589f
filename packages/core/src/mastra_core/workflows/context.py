"""What a step may know and do beside its input."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, NoReturn, overload

from mastra_core.errors import NotFound
from mastra_core.schema import dump, validate
from mastra_core.workflows.outcome import Outcome

if TYPE_CHECKING:
    from mastra_core.tools import Tool
    from mastra_core.workflows.signatures import T
    from mastra_core.workflows.step import Step

__all__ = ("Left", "StepContext")


class Left(BaseException):
    """A step was left by ``suspend`` or ``bail``.

    Not an ``Exception``, so that a step's own ``except Exception`` cannot swallow it.
    """

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.kind)
        self.outcome = outcome


class StepContext:
    """Annotate a parameter of a step with it to receive it.

    :param path: the step's address in the run: ``"pay"``, ``"each[2]"``, ``"checkout.pay"``.
    :param init_data: what the workflow was started with.
    :param resume_data: what ``resume`` brought, of the step's ``resume`` type; ``None`` on the
        first execution.
    :param kept: what the step gave ``suspend`` to keep.
    :param request_context: what the caller and the server's middleware passed along.
    :param attempt: 1, and one more each time the step is retried.
    :param iteration: how often a loop has executed the step, this time included; 0 elsewhere.
    :param canceled: nobody waits for the step any more. A coroutine hears of it by itself; a plain
        function, which runs in a thread, should look now and then, and return.
    """

    __slots__ = (
        "_changes", "_outputs", "_state", "_state_type", "_suspend_type", "_writer", "_written",
        "attempt", "canceled", "init_data", "iteration", "kept", "path", "request_context",
        "resume_data", "run_id", "step_id", "workflow_id",
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
        self.init_data = init_data
        self.resume_data = resume_data
        self.request_context: Mapping[str, Any] = {} if request_context is None else request_context
        self.kept: Any = None
        self.attempt = attempt
        self.iteration = iteration
        self.canceled = False
        self._outputs = outputs or {}
        self._state = state or {}
        self._state_type = state_type
        self._suspend_type = suspend_type
        self._changes: dict[str, Any] = {}
        self._writer = writer
        self._written = 0

    @property
    def state(self) -> Any:
        """The shared state, an instance of the workflow's ``state`` type; not to be changed."""
        return validate(self._typed_state, {**self._state, **self._changes})

    def set_state(self, changes: Mapping[str, Any] | None = None, /, **more: Any) -> None:
        """Change fields of the shared state; the others stay.

        Steps that run side by side do not see one another's changes before all have ended.

        :raises InvalidInput: when the state no longer fits its type.
        """
        changed = dump({**(changes or {}), **more})
        whole = {**self._state, **self._changes, **changed}
        checked = dump(validate(self._typed_state, whole))
        self._changes.update({key: checked.get(key, value) for key, value in changed.items()})

    @property
    def changes(self) -> dict[str, Any]:
        """What the step has changed of the shared state so far."""
        return self._changes

    if TYPE_CHECKING:

        @overload
        def output(self, step: Step[Any, T], /) -> T: ...
        @overload
        def output(self, step: str | Tool, /) -> Any: ...

    def output(self, step: str | Step | Tool, /) -> Any:
        """What an earlier step of this workflow gave: of its type by step, as JSON by id.

        :raises NotFound: when it has not run.
        """
        name = step if isinstance(step, str) else step.id
        if name not in self._outputs:
            raise NotFound(
                f"The step {name!r} has not run.", f"Known are: {', '.join(self._outputs) or '-'}."
            )
        value = self._outputs[name]
        return value if isinstance(step, str) else validate(step.output, value)

    def suspend(self, payload: Any = None, *, label: str = "", keep: Any = None) -> NoReturn:
        """Leave the step here; ``resume`` executes it again from its beginning.

        :param payload: what the person who resumes needs to see, of the ``suspend`` type.
        :param label: another name to resume it by.
        :param keep: what the step is to find again as ``kept``, JSON-able; nobody else sees it.
        :raises InvalidInput: when the payload does not fit the step's ``suspend`` type.
        """
        data = dump(payload)
        if self._suspend_type is not None and data is not None:
            validate(self._suspend_type, data)
        outcome = Outcome(
            kind="suspended", value=data, kept=dump(keep), label=label, state=self._changes
        )
        raise Left(outcome)

    def bail(self, result: Any = None) -> NoReturn:
        """End the workflow here, successfully, with this result; a nested one alone."""
        raise Left(Outcome(kind="bailed", value=dump(result), state=self._changes))

    async def write(self, chunk: Any) -> None:
        """Tell whoever watches the run; ``chunk`` is any JSON-able value."""
        if self._writer is not None:
            self._written += 1
            await self._writer(self._written, dump(chunk))

    @property
    def _typed_state(self) -> Any:
        return dict[str, Any] if self._state_type is None else self._state_type
