import pkgutil
from importlib import import_module

from mastra import crew
from mastra_core import Mastra

AGENTS = {
    info.name: getattr(import_module(f"{crew.__name__}.{info.name}"), info.name)
    for info in pkgutil.iter_modules(crew.__path__)
}
mastra = Mastra(agents=AGENTS, logger=False)
