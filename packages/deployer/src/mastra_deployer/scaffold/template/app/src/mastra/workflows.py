"""A workflow has steps in order. A step may wait for a person."""

from typing import TypedDict

from mastra_core import StepContext, Workflow, step


class Order(TypedDict):
    """An order."""

    item: str
    amount: int


class Approval(TypedDict):
    """A person's decision."""

    approved: bool


class Price(TypedDict):
    """An order with its price."""

    item: str
    total: int


@step
def price(order: Order) -> Price:
    """Compute the total: two coins for each item."""
    return {"item": order["item"], "total": 2 * order["amount"]}


@step(resume=Approval, suspend=Price)
def approve(priced: Price, context: StepContext) -> str:
    """Suspend large orders until a person resumes the run."""
    if priced["total"] < 100:
        return "ordered"
    if context.resume_data is None:
        context.suspend(priced)
    return "ordered" if context.resume_data["approved"] else "refused"


order = Workflow("order").then(price).then(approve)
