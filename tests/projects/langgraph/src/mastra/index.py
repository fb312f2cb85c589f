from typing import TypedDict

from langgraph.graph import END, START, StateGraph

from mastra_core import Mastra


class State(TypedDict):
    text: str
    count: int


def grow(state: State) -> State:
    return {"text": state["text"] + "!", "count": state["count"] + 1}


def enough(state: State) -> str:
    return END if state["count"] >= 3 else "grow"


builder = StateGraph(State)
builder.add_node("grow", grow)
builder.add_edge(START, "grow")
builder.add_conditional_edges("grow", enough)
graph = builder.compile()


async def shout(text: str) -> str:
    return (await graph.ainvoke({"text": text, "count": 0}))["text"]


mastra = Mastra(agents={"shout": shout}, logger=False)
