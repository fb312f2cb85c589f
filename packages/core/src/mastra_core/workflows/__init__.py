"""Workflows: a typed description, one interpreter, a journal that remembers."""

from mastra_core.workflows.engine import Engine, Run
from mastra_core.workflows.memory import MemoryEngine
from mastra_core.workflows.record import RunError, RunRecord, StepRecord
from mastra_core.workflows.step import Step, StepContext, step
from mastra_core.workflows.workflow import Branch, Parallel, Single, Workflow

__all__ = (
    "Branch",
    "Engine",
    "MemoryEngine",
    "Parallel",
    "Run",
    "RunError",
    "RunRecord",
    "Single",
    "Step",
    "StepContext",
    "StepRecord",
    "Workflow",
    "step",
)
