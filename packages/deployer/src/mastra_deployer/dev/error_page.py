"""Render a problem as a response: HTML for browsers, problem details for programs."""

from __future__ import annotations

import json
from html import escape

from mastra_deployer.dev.app_error import AppProblem
from mastra_deployer.dev.middleware_child import PROBE

__all__ = ("render_page", "render_problem_details", "render_redacted_page")

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
const current = %s;
setInterval(async () => {
  try {
    const state = await (await fetch("%s", {cache: "no-store"})).json();
    if (state.problem !== current) location.reload();
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
<p><small>mastra dev: this page reloads when the file is fixed.</small></p>
<script>{script}</script>
</html>
"""


def render_page(problem: AppProblem, number: str, *, has_version: bool) -> str:
    """Render the page for the developer: message, location, source lines and hint.

    :param problem: the problem to show.
    :param number: the number of the problem; the page reloads when the number changes.
    :param has_version: whether an earlier version serves.
    """
    parts = [f"<h1>{escape(problem.message)}</h1>"]
    if problem.file:
        parts.append(f"<p><code>{escape(problem.file)}:{problem.line}</code></p>")
    if problem.code:
        parts.append(f"<pre><code>{_render_code(problem)}</code></pre>")
    if problem.hint:
        parts.append(f"<p>{escape(problem.hint)}</p>")
    if len(problem.path) > 1:
        steps = "\n".join(escape(f"{file}:{line}  {text}") for file, line, text in problem.path)
        parts.append(f"<pre>{steps}</pre>")
    if has_version:
        parts.append("<p>The last working version still serves requests to the API.</p>")
    return _render_html("\n".join(parts), number)


def render_redacted_page(number: str) -> str:
    """Render the page for other machines, without source code.

    :param number: the number of the problem; the page reloads when the number changes.
    """
    return _render_html("<h1>The app is broken. The developer's terminal shows why.</h1>", number)


def render_problem_details(problem: AppProblem | None, status: int) -> str:
    """Render problem details (RFC 9457), with a field ``error`` for Mastra's clients.

    :param problem: the problem to show; ``None`` for a request from another machine, which gets no
        details.
    :param status: the status of the response.
    """
    title = "The app does not start."
    detail = title
    if problem is not None:
        location = f"{problem.file}:{problem.line}: " if problem.file else ""
        detail = location + problem.message
    data = {"type": "about:blank", "title": title, "status": status}
    return json.dumps({**data, "detail": detail, "error": detail})


def _render_code(problem: AppProblem) -> str:
    lines = []
    for number, text in problem.code:
        line = escape(f"{number:5}  {text}")
        lines.append(f"<mark>{line}</mark>" if number == problem.line else line)
    return "\n".join(lines)


def _render_html(body: str, number: str) -> str:
    script = _SCRIPT % (json.dumps(number), PROBE)
    return _PAGE.format(title="broken", style=_STYLE, body=body, script=script)
