"""Hold the data that the steps of one workflow share: journal, outputs and state."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from mastra_core.workflows.engine.run_activity import RunActivity
from mastra_core.workflows.engine.run_options import RunOptions, StepAddress
from mastra_core.workflows.model.definition import Step
from mastra_core.workflows.model.step_context import StepContext

if TYPE_CHECKING:
    from mastra_core.workflows.engine.journal import Journal
    from mastra_core.workflows.model.definition import WorkflowDefinition

__all__ = ("Scope",)


class Scope:
    """The state and the outputs that a workflow, or a concurrent part of it, uses in one run.

    :param workflow: the workflow.
    :param journal: the journal of the run.
    :param options: the options of this execution.
    :param activity: counts the active parts of the run.
    :param state: the shared state, changed in place.

    In a nested workflow, the paths of steps begin with ``prefix``, and their journal keys begin
    with ``key``. ``has_bailed`` says whether a step has ended the workflow by ``bail``.
    """

    __slots__ = (
        "activity", "changes", "has_bailed", "init_data", "journal", "key", "options", "outputs",
        "prefix", "state", "workflow",
    )  # fmt: skip

    def __init__(
        self,
        workflow: WorkflowDefinition,
        journal: Journal,
        options: RunOptions,
        activity: RunActivity,
        state: dict[str, Any],
    ) -> None:
        self.workflow = workflow
        self.journal = journal
        self.options = options
        self.activity = activity
        self.state = state
        self.changes: dict[str, Any] = {}
        self.outputs: dict[str, Any] = {}
        self.prefix = self.key = ""
        self.init_data: Any = None
        self.has_bailed = False

    def get_address(self, step_id: str) -> StepAddress:
        """Return the address of a step.

        :param step_id: the id of the step.
        """
        return StepAddress(self.prefix + step_id, self.key + step_id)

    def build_context(
        self, step: Step[Any, Any] | str, address: StepAddress, **fields: Any
    ) -> StepContext:
        """Build the context for a function that is called at ``address``.

        :param step: the step; for a condition or a duration function, the id of the step or sleep
            that uses it.
        :param address: the address of the step.
        :param fields: further arguments of ``StepContext``.
        """
        step_id, suspend_type = (step, None) if isinstance(step, str) else (step.id, step.suspend)
        return StepContext(
            run_id=self.journal.run_id,
            workflow_id=self.workflow.id,
            step_id=step_id,
            path=address.path,
            init_data=self.init_data,
            request_context=self.options.context,
            resource=self.options.resource_id,
            iteration=address.iteration,
            outputs=self.outputs,
            state=self.state,
            state_type=self.workflow.state,
            suspend_type=suspend_type,
            **fields,
        )

    def update_state(self, changes: Mapping[str, Any]) -> None:
        """Change fields of the shared state.

        :param changes: the new values by field.
        """
        self.state.update(changes)
        self.changes.update(changes)

    def fork(self) -> Scope:
        """Return a scope for a concurrent part; its changes are kept apart until ``join``."""
        fork = Scope(self.workflow, self.journal, self.options, self.activity, dict(self.state))
        fork.outputs, fork.init_data = dict(self.outputs), self.init_data
        fork.prefix, fork.key = self.prefix, self.key
        return fork

    def join(self, forks: Iterable[Scope]) -> None:
        """Merge the changes and outputs of concurrent parts.

        :param forks: the scopes of the parts, in order of declaration; if parts change the same
            key, the last part wins.
        """
        for fork in forks:
            self.update_state(fork.changes)
            self.outputs.update(fork.outputs)

    def create_nested(
        self, workflow: WorkflowDefinition, address: StepAddress, key: str, value: Any
    ) -> Scope:
        """Return the scope of a nested workflow; it shares the state of this scope.

        :param workflow: the nested workflow.
        :param address: the address of the step that executes the nested workflow.
        :param key: the beginning of the journal keys of the nested workflow.
        :param value: the input of the nested workflow.
        """
        inner = Scope(workflow, self.journal, self.options, self.activity, self.state)
        inner.changes = self.changes
        inner.prefix, inner.key, inner.init_data = f"{address.path}.", f"{key}.", value
        return inner
