import idna
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

import helpers_of_mine


async def home(request):
    return PlainTextResponse(f"{helpers_of_mine.greet('you')} idna {idna.__version__}")


app = Starlette(routes=[Route("/", home)])
