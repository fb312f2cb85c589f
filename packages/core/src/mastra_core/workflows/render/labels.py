"""Format the labels of nodes in diagrams."""

from __future__ import annotations

from mastra_core.workflows.model.definition import ForEach, Loop, Sleep

__all__ = ("format_concurrency", "format_loop_condition", "format_sleep")


def format_loop_condition(node: Loop) -> str:
    """Format the condition of a loop, such as ``while is_open``.

    :param node: the loop.
    """
    return f"{'until' if node.until else 'while'} {node.condition.name}"


def format_concurrency(node: ForEach) -> str:
    """Format the concurrency of a ``foreach``, such as ``for each item, 2 at a time``.

    :param node: the node.
    """
    return "for each item" + (f", {node.concurrency} at a time" if node.concurrency > 1 else "")


def format_sleep(node: Sleep) -> str:
    """Format the duration or the end of a sleep, such as ``sleep 1.5 s``.

    :param node: the node.
    """
    if node.function is not None:
        return f"sleep {'until' if node.until else 'for'} {node.function.name}"
    if node.moment is not None:
        return f"sleep until {node.moment.isoformat(sep=' ', timespec='seconds')}"
    return f"sleep {node.duration:g} s"
