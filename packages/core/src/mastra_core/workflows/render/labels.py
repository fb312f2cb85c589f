"""How nodes are put into a few words, for pictures."""

from __future__ import annotations

from mastra_core.workflows.model.nodes import ForEach, Loop, Sleep

__all__ = ("format_concurrency", "format_loop_condition", "format_sleep")


def format_loop_condition(node: Loop) -> str:
    """When a loop goes round again."""
    return f"{'until' if node.until else 'while'} {node.condition.name}"


def format_concurrency(node: ForEach) -> str:
    """How many items at a time."""
    return "for each item" + (f", {node.concurrency} at a time" if node.concurrency > 1 else "")


def format_sleep(node: Sleep) -> str:
    """How long."""
    if node.asks is not None:
        return f"sleep {'until' if node.until else 'for'} {node.asks.name}"
    if node.moment is not None:
        return f"sleep until {node.moment.isoformat(sep=' ', timespec='seconds')}"
    return f"sleep {node.duration:g} s"
