import idna

from mastra_core import Mastra


async def told(text: str) -> str:
    return f"{text} by idna {idna.__version__}"


mastra = Mastra(agents={"told": told}, logger=False)
