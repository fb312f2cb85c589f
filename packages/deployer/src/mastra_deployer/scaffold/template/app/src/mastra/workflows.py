"""A workflow is steps in order; a step may wait for a person."""

from typing import TypedDict

from mastra_core import StepContext, Workflow, step


class Order(TypedDict):
    """What is ordered."""

    item: str
    amount: int


class Approval(TypedDict):
    """What a person decides."""

    approved: bool


class Price(TypedDict):
    """An order with its price."""

    item: str
    total: int


@step
def price(order: Order) -> Price:
    """Two coins apiece."""
    return {"item": order["item"], "total": 2 * order["amount"]}


@step(resume=Approval, suspend=Price)
def approve(priced: Price, context: StepContext) -> str:
    """Large orders wait until somebody resumes the run."""
    if priced["total"] < 100:
        return "ordered"
    if context.resume_data is None:
        context.suspend(priced)
    return "ordered" if context.resume_data["approved"] else "refused"


order = Workflow("order").then(price).then(approve)
