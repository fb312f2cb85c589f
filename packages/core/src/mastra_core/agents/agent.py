"""The built-in agent: a description here, pydantic-ai underneath, loaded on the first run."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mastra_core.agents.adapt import as_agent
from mastra_core.agents.events import AgentEvent
from mastra_core.agents.instructions import Instructions
from mastra_core.agents.messages import AgentInput, Limits
from mastra_core.agents.protocol import AgentInfo, AgentLike, AgentOutput
from mastra_core.agents.providers import labels_of, models_of, modules_of, variables_of
from mastra_core.agents.stopping import StopCondition
from mastra_core.agents.subagent import agent_tool
from mastra_core.errors import ConfigError
from mastra_core.schema import schema_of
from mastra_core.tools import Tool, Toolbox, as_tool, is_toolbox

if TYPE_CHECKING:
    from typing import Unpack

    from mastra_core.agents.options import RunOptions
    from mastra_core.memory.memory import Memory

__all__ = ("Agent",)


class Agent:
    """An agent of instructions, a model and tools.

    :param name: what people call it, and its id where ``id`` is not given.
    :param instructions: the system prompt: text, where ``{{ name }}`` stands for a value of the
        request context, or a function of the request context.
    :param model: ``"provider:model"`` (``"openai:gpt-5"``), a pydantic-ai model object, or a list
        of them: where one fails, the next is asked.
    :param tools: typed functions, and toolboxes, whose tools are asked for by each run.
    :param agents: other agents that the model may ask, by key.
    :param output: the type of a structured answer, or its JSON Schema; plain text where not given.
    :param settings: model settings for every run (``temperature``, ``max_tokens``, ...).
    :param retries: how often the model may repair a bad tool call or answer.
    :param max_steps: the most model turns of a run.
    :param stop_when: functions of the events so far; where one is true the run ends.
    :param timeout: seconds a run may take.
    :param limits: what a run may use.
    :param memory: what it remembers of conversations; that of the ``Mastra`` where not given.
    :raises ConfigError: for a model string without a provider, or something that is no tool.
    """

    def __init__(
        self,
        *,
        name: str,
        instructions: Instructions = "",
        model: Any,
        tools: Sequence[Any] = (),
        agents: Mapping[str, Any] | None = None,
        output: Any = None,
        description: str = "",
        id: str = "",
        settings: dict[str, Any] | None = None,
        retries: int = 1,
        max_steps: int | None = None,
        stop_when: Sequence[StopCondition] = (),
        timeout: float | None = None,
        limits: Limits | None = None,
        memory: Memory | None = None,
    ) -> None:
        self.id = id or name
        self.name = name
        self.description = description
        self.instructions = instructions
        self.models = models_of(model)
        self.agents = {key: as_agent(value) for key, value in (agents or {}).items()}
        self.toolboxes: tuple[Toolbox, ...] = tuple(item for item in tools if is_toolbox(item))
        self.tools: tuple[Tool, ...] = tuple(
            as_tool(item) for item in tools if not is_toolbox(item)
        )
        self.output = output
        self.settings = settings or {}
        self.retries = retries
        self.max_steps = max_steps
        self.stop_when = tuple(stop_when)
        self.timeout = timeout
        self.limits = limits
        self.memory = memory
        self._runner: AgentLike | None = None
        _distinct(name, self.callable_tools)

    @property
    def callable_tools(self) -> tuple[Tool, ...]:
        """Everything the model may call: the tools, and the other agents as tools."""
        return (*self.tools, *(agent_tool(key, agent) for key, agent in self.agents.items()))

    def info(self) -> AgentInfo:
        """What can be said without running it; loads no framework."""
        first = self.models[0]
        provider, model = labels_of(first)
        return AgentInfo(
            instructions=self.instructions if isinstance(self.instructions, str) else "",
            provider=provider,
            model=model,
            tools=self.tools,
            agents=dict(self.agents),
            output_schema=None if self.output is None else schema_of(self.output),
            requires=self._requires(),
            variables=variables_of(provider) if isinstance(first, str) else (),
        )

    async def generate(
        self, input: AgentInput | str, /, **wishes: Unpack[RunOptions]
    ) -> AgentOutput:
        """Run to the end.

        :param input: the whole input, or the user's words.
        :param wishes: fields of ``AgentInput`` in the place of its own (``max_steps=3``).
        :raises AgentFailed: when the run breaks.
        :raises RequestError: for an input that cannot be run.
        :raises ConfigError: on the first run, when the extra ``agents`` is not installed.
        """
        return await self._loaded().generate(AgentInput.of(input, wishes))

    def stream(
        self, input: AgentInput | str, /, **wishes: Unpack[RunOptions]
    ) -> AsyncGenerator[AgentEvent, None]:
        """Run, giving the events as they happen; a broken run ends in ``Failure``.

        Closing the stream stops the run, and with it the call to the model.

        :param input: the whole input, or the user's words.
        :param wishes: fields of ``AgentInput`` in the place of its own (``max_steps=3``).
        :raises ConfigError: on the first run, when the extra ``agents`` is not installed.
        """
        return self._loaded().stream(AgentInput.of(input, wishes))  # type: ignore[return-value]  # a generator here

    def shorten_history(self, history: bytes, turns: int) -> bytes:
        """The last ``turns`` turns of a ``Finish.history``; empty where that cannot be."""
        shortened: bytes = self._loaded().shorten_history(history, turns)  # type: ignore[attr-defined]  # no part of the protocol
        return shortened

    def _loaded(self) -> AgentLike:
        if self._runner is None:
            self._runner = self._load()
        return self._runner

    def _load(self) -> AgentLike:
        try:
            from mastra_core.agents.pydantic_ai import build
        except ModuleNotFoundError as error:
            raise ConfigError(
                f"Agent {self.name!r} needs {error.name!r}, which is not installed.",
                "Install the extra: pip install 'mastra-core[agents]'.",
            ) from None
        if self.memory is None:
            return build(self)
        from mastra_core.memory.agent import RememberingAgent

        return RememberingAgent(build(self), self.memory)

    def _requires(self) -> tuple[str, ...]:
        names = [model for model in self.models if isinstance(model, str)]
        if not names:
            return ()
        modules = [modules_of(labels_of(name)[0] or name) for name in names]
        return tuple(dict.fromkeys(("pydantic_ai", *(each for some in modules for each in some))))


def _distinct(agent: str, tools: Sequence[Tool]) -> None:
    seen: set[str] = set()
    for item in tools:
        if item.id in seen:
            raise ConfigError(
                f"Two tools of agent {agent!r} are called {item.id!r}.", "Give one another id."
            )
        seen.add(item.id)
