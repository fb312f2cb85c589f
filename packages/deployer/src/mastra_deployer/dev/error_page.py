"""A problem as an answer: HTML for people, problem details for programs."""

from __future__ import annotations

import json
from html import escape

from mastra_deployer.dev.app_error import Problem
from mastra_deployer.dev.middleware_child import PROBE

__all__ = ("problem_json", "render", "render_far")

_STYLE = """\
body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:3rem auto;padding:0 1rem;
color-scheme:light dark}
h1{font-size:1.25rem;white-space:pre-wrap;overflow-wrap:anywhere}
h1::before{content:"";display:block;width:3rem;border-top:4px solid #d33;margin-bottom:1rem}
pre{padding:1rem;overflow:auto;border:1px solid #8884;border-radius:6px;line-height:1.6}
mark{background:#d333;color:inherit;display:inline-block;min-width:100%}
small{opacity:.7}
"""
_SCRIPT = """\
const shown = %s;
setInterval(async () => {
  try {
    const state = await (await fetch("%s", {cache: "no-store"})).json();
    if (state.problem !== shown) location.reload();
  } catch {}
}, 400);
"""
_PAGE = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>{style}</style>
<noscript><meta http-equiv="refresh" content="2"></noscript>
{body}
<p><small>mastra dev: this page goes away when the file is mended.</small></p>
<script>{script}</script>
</html>
"""


def render(problem: Problem, number: str, *, kept: bool) -> str:
    """The page for the developer: what, where, the lines around, the cure.

    :param number: by which the page knows when it is outdated.
    :param kept: whether an earlier version still answers.
    """
    parts = [f"<h1>{escape(problem.message)}</h1>"]
    if problem.file:
        parts.append(f"<p><code>{escape(problem.file)}:{problem.line}</code></p>")
    if problem.code:
        parts.append(f"<pre><code>{_code(problem)}</code></pre>")
    if problem.hint:
        parts.append(f"<p>{escape(problem.hint)}</p>")
    if len(problem.path) > 1:
        steps = "\n".join(escape(f"{file}:{line}  {text}") for file, line, text in problem.path)
        parts.append(f"<pre>{steps}</pre>")
    if kept:
        parts.append("<p>The last good version still answers requests to the API.</p>")
    return _page("\n".join(parts), number)


def render_far(number: str) -> str:
    """The page for everybody else: no source line leaves this machine."""
    return _page("<h1>The app is broken. Its developer's terminal says why.</h1>", number)


def problem_json(problem: Problem | None, status: int) -> str:
    """Problem details (RFC 9457), with ``error`` for clients of Mastra.

    :param problem: ``None`` for those who are not told.
    """
    title = "The app does not start."
    detail = title
    if problem is not None:
        where = f"{problem.file}:{problem.line}: " if problem.file else ""
        detail = where + problem.message
    told = {"type": "about:blank", "title": title, "status": status}
    return json.dumps({**told, "detail": detail, "error": detail})


def _code(problem: Problem) -> str:
    lines = []
    for number, text in problem.code:
        line = escape(f"{number:5}  {text}")
        lines.append(f"<mark>{line}</mark>" if number == problem.line else line)
    return "\n".join(lines)


def _page(body: str, number: str) -> str:
    script = _SCRIPT % (json.dumps(number), PROBE)
    return _PAGE.format(title="broken", style=_STYLE, body=body, script=script)
