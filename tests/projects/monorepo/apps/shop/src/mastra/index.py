from importlib.metadata import entry_points

from mastra_core import Mastra
from prices import price

PLUGINS = {point.name: point.load() for point in entry_points(group="shop.plugins")}


async def seller(text: str) -> str:
    return f"{PLUGINS['hello'](text)} pays {price(text)}"


mastra = Mastra(agents={"seller": seller}, logger=False)
