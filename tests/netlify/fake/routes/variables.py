"""Variables of a site: `/accounts/{id}/env`."""

from __future__ import annotations

import re
import uuid
from typing import Any

from tests.netlify.fake.routing import ApiError, Request, Response, route
from tests.netlify.fake.state import ALL_CONTEXTS, Site, Variable, format_now

ENV = "/api/v1/accounts/{account}/env"


def describe_variable(variable: Variable) -> dict[str, Any]:
    """Describe a variable; the value of a secret cannot be read again."""
    values = [
        {
            "id": variable.ids.setdefault(context, str(uuid.uuid4())),
            "context": context,
            "value": "" if variable.is_secret and context != "dev" else value,
        }
        for context, value in variable.values.items()
    ]
    return {
        "key": variable.key,
        "scopes": variable.scopes,
        "is_secret": variable.is_secret,
        "values": values,
        "updated_at": variable.updated_at,
    }


@route("GET", ENV)
def list_variables(request: Request) -> Any:
    if not request.get_query("site_id"):
        request.find_team(request["account"])
        return []  # the variables of the team
    return [describe_variable(item) for item in _find_site(request).variables.values()]


@route("POST", ENV)
def create_variables(request: Request) -> Any:
    site, items = _find_site(request), request.parse_json()
    if existing := {item["key"] for item in items} & set(site.variables):
        raise ApiError(422, f"These keys exist: {sorted(existing)}")
    variables = [_parse(item) for item in items]
    for variable in variables:
        if variable.key not in request.platform.omitted_variables:
            site.variables[variable.key] = variable
    return Response(status=201, body=[describe_variable(item) for item in variables])


@route("GET", f"{ENV}/{{key}}")
def get_variable(request: Request) -> Any:
    return describe_variable(_find(request))


@route("PUT", f"{ENV}/{{key}}")
def replace_variable(request: Request) -> Any:
    old, variable = _find(request), _parse(request.parse_json())
    if old.is_secret and not variable.is_secret:
        raise ApiError(422, "A secret cannot become readable")
    _find_site(request).variables[old.key] = variable
    return describe_variable(variable)


@route("PATCH", f"{ENV}/{{key}}")
def set_value(request: Request) -> Any:
    variable, body = _find(request), request.parse_json()
    if "all" in variable.values:
        value = variable.values.pop("all")
        variable.values |= dict.fromkeys(ALL_CONTEXTS, value)
    variable.values[body["context"]] = body["value"]
    variable.updated_at = format_now()
    return Response(status=201, body=describe_variable(variable))


@route("DELETE", f"{ENV}/{{key}}")
def delete_variable(request: Request) -> Any:
    del _find_site(request).variables[_find(request).key]
    return Response(status=204)


@route("DELETE", f"{ENV}/{{key}}/value/{{value}}")
def delete_value(request: Request) -> Any:
    variable = _find(request)
    for context, value_id in list(variable.ids.items()):
        if value_id == request["value"] and variable.values.pop(context, None) is not None:
            return Response(status=204)
    raise ApiError(404, "Not Found")


def _find_site(request: Request) -> Site:
    team, site = (
        request.find_team(request["account"]),
        request.find_site(request.get_query("site_id")),
    )
    if site.team is not team:
        raise ApiError(404, "Not Found")
    return site


def _find(request: Request) -> Variable:
    variable = _find_site(request).variables.get(request["key"])
    if variable is None:
        raise ApiError(404, "Not Found")
    return variable


def _parse(item: dict[str, Any]) -> Variable:
    values = {value["context"]: value["value"] for value in item["values"]}
    secret = bool(item.get("is_secret"))
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", item["key"]):
        raise ApiError(422, f"{item['key']!r} is not a valid key")
    if secret and "post-processing" in item["scopes"]:
        raise ApiError(422, "A secret cannot have the scope post-processing")
    if secret and "all" in values:
        raise ApiError(422, "A secret cannot have the context all")
    return Variable(key=item["key"], scopes=item["scopes"], is_secret=secret, values=values)
