"""What steps of one workflow in one run see: the journal, outputs, the shared state."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from mastra_core.workflows.engine.run_activity import Activity
from mastra_core.workflows.engine.start import Options, Place
from mastra_core.workflows.model.step import Step
from mastra_core.workflows.model.step_context import StepContext

if TYPE_CHECKING:
    from mastra_core.workflows.engine.journal import Journal
    from mastra_core.workflows.model.workflow import Workflow

__all__ = ("Scope",)


class Scope:
    """One workflow in one run, or one of several things side by side in it."""

    __slots__ = (
        "activity", "changed", "init", "journal", "key", "options", "outputs", "prefix", "state",
        "workflow",
    )  # fmt: skip

    def __init__(
        self,
        workflow: Workflow,
        journal: Journal,
        options: Options,
        activity: Activity,
        state: dict[str, Any],
    ) -> None:
        self.workflow = workflow
        self.journal = journal
        self.options = options
        self.activity = activity
        self.state = state
        self.changed: dict[str, Any] = {}
        self.outputs: dict[str, Any] = {}
        self.prefix = self.key = ""
        self.init: Any = None

    def place(self, id_: str) -> Place:
        """Where the step of that id stands."""
        return Place(self.prefix + id_, self.key + id_)

    def context(self, item: Step[Any, Any] | str, place: Place, **more: Any) -> StepContext:
        """What a function that is called there may know.

        :param more: of ``StepContext``.
        """
        step_id, suspends = (item, None) if isinstance(item, str) else (item.id, item.suspend)
        return StepContext(
            run_id=self.journal.run_id,
            workflow_id=self.workflow.id,
            step_id=step_id,
            path=place.path,
            init_data=self.init,
            request_context=self.options.context,
            iteration=place.iteration,
            outputs=self.outputs,
            state=self.state,
            state_type=self.workflow.state,
            suspend_type=suspends,
            **more,
        )

    def change(self, changes: Mapping[str, Any]) -> None:
        """Change the shared state."""
        self.state.update(changes)
        self.changed.update(changes)

    def fork(self) -> Scope:
        """A scope for one of several things side by side: what it changes stays with it."""
        arm = Scope(self.workflow, self.journal, self.options, self.activity, dict(self.state))
        arm.outputs, arm.init = dict(self.outputs), self.init
        arm.prefix, arm.key = self.prefix, self.key
        return arm

    def join(self, arms: Iterable[Scope]) -> None:
        """Take over what arms changed, in their order, whichever ended first."""
        for arm in arms:
            self.change(arm.changed)
            self.outputs.update(arm.outputs)

    def nested(self, workflow: Workflow, place: Place, key: str, value: Any) -> Scope:
        """The scope of a workflow that is a step of this one; the state is the same."""
        inner = Scope(workflow, self.journal, self.options, self.activity, self.state)
        inner.changed = self.changed
        inner.prefix, inner.key, inner.init = f"{place.path}.", f"{key}.", value
        return inner
