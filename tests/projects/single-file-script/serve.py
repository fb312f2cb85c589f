# /// script
# requires-python = ">=3.11"
# dependencies = ["starlette", "idna==3.7"]
# ///
import idna
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route


async def home(request):
    return JSONResponse({"idna": idna.__version__})


app = Starlette(routes=[Route("/", home)])
