"""The optional attributes of agents, which ``AgentLike`` does not require."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any

from mastra_core.agents.protocol import AgentLike, FrameworkTool

if TYPE_CHECKING:
    from mastra_core.tools import Tool, Toolbox

__all__ = ("Capabilities", "list_described_tools")


class Capabilities:
    """Reads the optional attributes of an agent; a missing attribute has a default.

    The attributes are not checked, because an agent may be an object of another framework. This
    module imports neither memories nor engines, because they import agents.

    :param agent: the agent.
    """

    def __init__(self, agent: AgentLike) -> None:
        self._agent: Any = agent

    @property
    def takes_options(self) -> bool:
        """Whether the agent can be called with a text, and with the options of one run."""
        return bool(getattr(self._agent, "takes_options", False))

    @property
    def takes_tools(self) -> bool:
        """Whether a run may add tools."""
        return bool(getattr(self._agent, "takes_tools", True))

    @property
    def durable(self) -> bool | None:
        """Whether the engine stores the runs; ``None`` if the engine decides."""
        value: bool | None = getattr(self._agent, "durable", False)
        return value

    @property
    def single_process(self) -> bool:
        """Whether the runs must be continued in the process that started them."""
        return bool(getattr(self._agent, "single_process", False))

    @property
    def records_calls(self) -> bool:
        """Whether finished calls are recorded in the journal of a durable run."""
        return bool(getattr(self._agent, "records_calls", False))

    @property
    def repeats_events(self) -> bool:
        """Whether the agent yields the events of recorded calls again."""
        return bool(getattr(self._agent, "repeats_events", False))

    @property
    def history_format(self) -> str:
        """The framework that defines the format of a run's history; empty if it is unknown."""
        return str(getattr(self._agent, "history_format", ""))

    @property
    def output(self) -> Any:
        """The type of the structured answer; ``None`` for text."""
        return getattr(self._agent, "output", None)

    @property
    def timeout(self) -> Any:
        """The maximum number of seconds of a run; ``None`` for no maximum."""
        return getattr(self._agent, "timeout", None)

    @property
    def models(self) -> Any:
        """The models, in the order in which the agent calls them."""
        return getattr(self._agent, "models", ())

    @property
    def input_processors(self) -> Sequence[Any]:
        """The functions that check or change the input of a run."""
        processors: Sequence[Any] = getattr(self._agent, "input_processors", ())
        return processors

    @property
    def output_processors(self) -> Sequence[Any]:
        """The functions that check or change the output of a run."""
        processors: Sequence[Any] = getattr(self._agent, "output_processors", ())
        return processors

    @property
    def framework_tools(self) -> Sequence[FrameworkTool]:
        """The tools that only the framework of the agent can call."""
        tools: Sequence[FrameworkTool] = getattr(self._agent, "framework_tools", ())
        return tools

    @property
    def callable_tools(self) -> Sequence[Tool]:
        """The tools that a model can call, with those that run other agents and workflows."""
        tools: Sequence[Tool] = getattr(self._agent, "callable_tools", self._agent.info().tools)
        return tools

    @property
    def toolboxes(self) -> Sequence[Toolbox]:
        """The toolboxes, whose tools are requested for each run."""
        boxes: Sequence[Toolbox] = getattr(self._agent, "toolboxes", ())
        return boxes

    @property
    def preload(self) -> Callable[[], object] | None:
        """A method that imports the modules which the first run needs."""
        method = getattr(self._agent, "preload", None)
        return method if callable(method) else None

    @property
    def use_engine(self) -> Callable[[Any], None] | None:
        """A method that sets the engine of the workflows which the agent runs."""
        method: Callable[[Any], None] | None = getattr(self._agent, "use_engine", None)
        return method

    @property
    def replace_memory(self) -> Callable[[Any], AgentLike] | None:
        """A method that returns a copy of the agent with another memory."""
        method: Callable[[Any], AgentLike] | None = getattr(self._agent, "replace_memory", None)
        return method

    @property
    def truncate_history(self) -> Callable[[bytes, int], bytes] | None:
        """A method that shortens the history of a run to its last turns."""
        method: Callable[[bytes, int], bytes] | None = getattr(
            self._agent, "truncate_history", None
        )
        return method

    @property
    def cancel_workflows(self) -> Callable[..., Awaitable[None]] | None:
        """A method that cancels the workflows for which the calls of a run wait."""
        method: Callable[..., Awaitable[None]] | None = getattr(
            self._agent, "cancel_workflows", None
        )
        return method


def list_described_tools(agent: AgentLike) -> Sequence[Tool | FrameworkTool]:
    """Return the tools of an agent, for a description of the agent.

    :param agent: the agent.
    """
    return (*agent.info().tools, *Capabilities(agent).framework_tools)
