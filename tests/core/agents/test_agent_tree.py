"""Agents that call the same agents, or each other."""

import asyncio

import pytest

from mastra_core import Agent, Mastra, Workflow
from mastra_core.agents.agent_tree import iter_agents
from mastra_core.agents.toolboxes import close_toolboxes
from tests.core.workflows.sample_steps import add_one


class Boxed(Agent):
    """An agent with a toolbox that counts how often it is closed."""

    def __init__(self, name, **options):
        super().__init__(name=name, model="test", **options)
        self.toolboxes, self.closed = (self,), 0

    async def aclose(self):
        self.closed += 1


@pytest.fixture
def shared():
    """Forty agents; each but the first calls the one before it twice."""
    agents = [Boxed("a0", workflows={"flow": Workflow("flow").then(add_one)})]
    for number in range(1, 40):
        inner = {"left": agents[-1], "right": agents[-1]}
        agents.append(Boxed(f"a{number}", agents=inner))
    return agents


def test_shared_agents_are_visited_once(shared):
    assert len([*iter_agents(shared[-1:])]) == 40
    asyncio.run(close_toolboxes(shared[-1:]))
    assert {agent.closed for agent in shared} == {1}


def test_workflows_of_shared_agents_get_the_engine(shared):
    mastra = Mastra(agents={"outer": shared[-1]}, logger=False)
    assert [workflow.id for workflow in mastra.agent_workflows] == ["flow"]
    shared[-1].use_engine(mastra.engine)
    assert shared[0]._get_engine() is mastra.engine


def test_agents_in_a_circle_are_visited_once():
    first, second = Boxed("first"), Boxed("second")
    first.agents, second.agents = {"other": second}, {"other": first}
    assert [agent.name for agent in iter_agents([first])] == ["first", "second"]
