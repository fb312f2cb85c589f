"""Workflows of typed steps, and the protocol of engines that execute them."""

from mastra_core.workflows.engine.journal import Journal
from mastra_core.workflows.engine.memory_engine import MemoryEngine
from mastra_core.workflows.engine.outcome import Outcome, RunError
from mastra_core.workflows.engine.protocol import Engine, Run
from mastra_core.workflows.engine.run_query import RunQuery
from mastra_core.workflows.engine.run_record import RunRecord, StepRecord
from mastra_core.workflows.model.coerce_step import as_step
from mastra_core.workflows.model.definition import (
    Branch,
    ForEach,
    Loop,
    Node,
    Parallel,
    Single,
    Sleep,
    Step,
)
from mastra_core.workflows.model.retry import Retry
from mastra_core.workflows.model.step import step
from mastra_core.workflows.model.step_context import StepContext
from mastra_core.workflows.model.workflow import Workflow

__all__ = (
    "Branch",
    "Engine",
    "ForEach",
    "Journal",
    "Loop",
    "MemoryEngine",
    "Node",
    "Outcome",
    "Parallel",
    "Retry",
    "Run",
    "RunError",
    "RunQuery",
    "RunRecord",
    "Single",
    "Sleep",
    "Step",
    "StepContext",
    "StepRecord",
    "Workflow",
    "as_step",
    "step",
)
