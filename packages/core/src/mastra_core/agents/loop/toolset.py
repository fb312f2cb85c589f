"""The tools of a run, and their definitions for the model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from pydantic_ai.tools import ToolDefinition

from mastra_core.agents.messages import AgentInput, ClientTool
from mastra_core.agents.pydantic_ai.tools import to_definition
from mastra_core.errors import ConfigError, InvalidInput
from mastra_core.tools import Tool, as_tool

__all__ = ("Toolset",)


class Toolset:
    """Tools by name, with their definitions for a model.

    :param tools: the tools that the loop executes.
    :param client_tools: the tools that the caller executes.
    """

    def __init__(self, tools: Iterable[Tool], client_tools: Sequence[ClientTool] = ()) -> None:
        self.tools = {item.id: item for item in tools}
        self.client_names = frozenset(each.name for each in client_tools)
        self.definitions = [
            *(
                ToolDefinition(
                    name=item.id,
                    description=item.description,
                    parameters_json_schema=item.input_schema,
                )
                for item in self.tools.values()
            ),
            *map(to_definition, client_tools),
        ]

    def add(self, run_input: AgentInput, more: Sequence[Tool] = ()) -> Toolset:
        """Return a toolset that also has the tools of a run.

        :param run_input: the input of the run.
        :param more: the tools that toolboxes offer at this moment.
        :raises InvalidInput: for a client tool that has the same name as another tool.
        :raises ConfigError: for a tool of a toolbox that has the same name as another tool, so that
            the owner of a toolbox cannot replace a tool of the agent.
        """
        if not (run_input.tools or run_input.client_tools or more):
            return self
        own_tools = tuple(map(as_tool, run_input.tools))
        known_names = {*self.tools, *(item.id for item in own_tools)}
        _check_toolbox_names([*known_names, *(item.id for item in more)])
        added = Toolset((*own_tools, *more), run_input.client_tools)
        joined = Toolset(())
        joined.tools = {**self.tools, **added.tools}
        joined.client_names = added.client_names
        own = (each for each in self.definitions if each.name not in added.tools)
        joined.definitions = [*own, *added.definitions]
        for name in joined.client_names & joined.tools.keys():
            raise InvalidInput(
                f"The client tool {name!r} has the same name as a tool of the agent.",
                "Give the client tool another name.",
            )
        return joined

    def select(self, names: Sequence[str] | None) -> Toolset:
        """Return a toolset that has only the named tools.

        :param names: names of the tools that the model may call; ``None`` for all of them.
        """
        if names is None:
            return self
        selected = Toolset(())
        selected.tools = {name: each for name, each in self.tools.items() if name in names}
        selected.client_names = self.client_names & frozenset(names)
        selected.definitions = [each for each in self.definitions if each.name in names]
        return selected


def _check_toolbox_names(names: Sequence[str]) -> None:
    for name, count in Counter(names).items():
        if count > 1:
            raise ConfigError(
                f"Two tools have the name {name!r}, and at least one of them is in a toolbox.",
                "Add a prefix to the names of the toolbox's tools. McpClient(name=...) adds one.",
            )
