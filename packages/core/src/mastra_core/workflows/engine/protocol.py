"""Where runs live: the protocol of an engine, and of a handle on one run."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any, Protocol

from mastra_core.workflows.engine.run_events import RunEvent
from mastra_core.workflows.engine.run_record import RunRecord
from mastra_core.workflows.engine.start import UNSET
from mastra_core.workflows.model.workflow import Workflow

__all__ = ("Engine", "Run")


class Run(Protocol):
    """A handle on one run."""

    @property
    def record(self) -> RunRecord:
        """The run as it stands; not to be changed."""

    @property
    def position(self) -> int:
        """How many events there are: the offset of the next one."""

    async def settled(self) -> RunRecord:
        """Wait until the run has finished, or nothing happens in it until somebody acts."""

    def events(self, offset: int = 0, *, through: bool = False) -> AsyncIterator[RunEvent]:
        """Its events from ``offset`` on, ending when the run has settled.

        :param through: go on through every rest until it has finished.
        """


class Engine(Protocol):
    """Keeps and executes the runs of all workflows."""

    @property
    def single_process(self) -> bool:
        """Runs are known only to the process that started them."""

    async def create(self, workflow: Workflow, run_id: str = "", resource_id: str = "") -> Run:
        """A run that has not started; an existing ``run_id`` gives that run."""

    async def start(
        self,
        run: Run,
        value: Any,
        context: Mapping[str, Any] | None = None,
        *,
        state: Any = None,
        per_step: bool = False,
    ) -> None:
        """Begin; returns at once. :raises InvalidInput, Conflict: before anything runs."""

    async def resume(
        self,
        run: Run,
        data: Any,
        step: str = "",
        context: Mapping[str, Any] | None = None,
        *,
        label: str = "",
    ) -> None:
        """Go on with a suspended step; returns at once. :raises InvalidInput, Conflict:"""

    async def travel(
        self,
        run: Run,
        step: str,
        value: Any = UNSET,
        *,
        outputs: Mapping[str, Any] | None = None,
        state: Any = None,
        resume_data: Any = None,
        context: Mapping[str, Any] | None = None,
        per_step: bool = False,
    ) -> None:
        """Begin again in ``step``; returns at once. :raises InvalidInput, NotFound, Conflict:"""

    async def restart(self, run: Run, context: Mapping[str, Any] | None = None) -> None:
        """Go on where a run broke off; steps that ended do not run again. :raises Conflict:"""

    async def cancel(self, run: Run) -> None:
        """End a run; a finished one stays as it is."""

    async def get(self, workflow: Workflow, run_id: str) -> Run:
        """A run by id. :raises NotFound:"""

    async def list(self, workflow: Workflow) -> list[RunRecord]:
        """Every run that is still known, newest first."""

    async def delete(self, run: Run) -> None:
        """Cancel and forget."""

    async def close(self) -> None:
        """Cancel what runs; called when the server stops."""
