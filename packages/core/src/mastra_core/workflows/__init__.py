"""Workflows: a typed description, one interpreter, a journal that remembers."""

from mastra_core.workflows.adopt import as_step
from mastra_core.workflows.context import StepContext
from mastra_core.workflows.engine import Engine, Run
from mastra_core.workflows.journal import Journal
from mastra_core.workflows.memory import MemoryEngine
from mastra_core.workflows.nodes import Branch, ForEach, Loop, Node, Parallel, Single, Sleep
from mastra_core.workflows.outcome import Outcome, RunError
from mastra_core.workflows.record import RunRecord, StepRecord
from mastra_core.workflows.retry import Retry
from mastra_core.workflows.step import Step, step
from mastra_core.workflows.workflow import Workflow

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
