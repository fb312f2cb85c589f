"""Type hints that name what only a type checker imports, in functions and types of the user."""

import functools
import sys

import pytest

from mastra_core import Mastra, tool
from mastra_core.agents.function import FunctionAgent
from mastra_core.arguments.function_parameters import get_signature
from mastra_core.errors import ConfigError
from mastra_core.schema import to_json_schema
from mastra_core.workflows.model.function import inspect_function

# Python 3.14 evaluates annotations on use, older versions with the import on use as text.
DEFERRED = "" if sys.version_info >= (3, 14) else "from __future__ import annotations\n"
SOURCE = """
import dataclasses
import typing

if typing.TYPE_CHECKING:
    from shop import Order

def price(order: Order) -> float: ...

async def answer(order: Order) -> str: ...

class Shop:
    def __call__(self, order: Order) -> float: ...

@dataclasses.dataclass
class Line:
    order: Order

class Row(typing.TypedDict):
    order: Order
"""


@pytest.fixture(scope="module")
def shop():
    names = {}
    exec(compile(DEFERRED + SOURCE, "shop.py", "exec", dont_inherit=True), names)
    return names


@pytest.mark.parametrize(
    ("use", "name"),
    [
        (tool(description="Return the price."), "price"),
        (inspect_function, "price"),
        (FunctionAgent, "answer"),
        (lambda answer: Mastra(agents={"seller": answer}), "answer"),
        (to_json_schema, "Line"),
        (to_json_schema, "Row"),
    ],
    ids=("a tool", "a step", "an agent", "a registered agent", "a dataclass", "a dictionary"),
)
def test_an_unresolved_type_hint_is_an_error_of_the_configuration(shop, use, name):
    with pytest.raises(ConfigError, match=f"A type hint of {name} .* 'Order'") as caught:
        use(shop[name])
    assert "TYPE_CHECKING" in caught.value.hint


def test_a_step_without_type_hints_of_its_own_needs_none(shop):
    """The hints of a callable object and of a partial function do not describe the input."""
    assert inspect_function(shop["Shop"]()).input_name == "order"
    assert inspect_function(functools.partial(shop["price"])).input_name == "order"


def test_a_signature_is_read_without_its_annotations(shop):
    assert list(get_signature(shop["price"]).parameters) == ["order"]
