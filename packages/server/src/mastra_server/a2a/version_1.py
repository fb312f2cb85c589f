"""Convert results from version 0.3 of the A2A protocol to version 1.0."""

from __future__ import annotations

from typing import Any

__all__ = ("to_new_event", "to_new_task")

_STATES = {
    "submitted": "TASK_STATE_SUBMITTED",
    "working": "TASK_STATE_WORKING",
    "completed": "TASK_STATE_COMPLETED",
    "failed": "TASK_STATE_FAILED",
    "canceled": "TASK_STATE_CANCELED",
    "input-required": "TASK_STATE_INPUT_REQUIRED",
}
_LEFT_OUT = ("kind", "final")  # fields that version 1.0 does not have


def to_new_task(task: dict[str, Any]) -> dict[str, Any]:
    """Convert a task.

    :param task: the task, in the form of version 0.3.
    """
    new = _drop_fields(task)
    new["status"] = _to_new_status(task["status"])
    if "artifacts" in task:
        new["artifacts"] = [_to_new_artifact(each) for each in task["artifacts"]]
    if "history" in task:
        new["history"] = [_to_new_message(each) for each in task["history"]]
    return new


def to_new_event(event: dict[str, Any]) -> dict[str, Any]:
    """Convert a task, or an event of a task's stream, to version 1.0.

    :param event: the event, in the form of version 0.3.
    """
    match event["kind"]:
        case "status-update":
            status = _to_new_status(event["status"])
            return {"statusUpdate": {**_drop_fields(event), "status": status}}
        case "artifact-update":
            artifact = _to_new_artifact(event["artifact"])
            return {"artifactUpdate": {**_drop_fields(event), "artifact": artifact}}
    return {"task": to_new_task(event)}


def _drop_fields(value: dict[str, Any]) -> dict[str, Any]:
    return {key: each for key, each in value.items() if key not in _LEFT_OUT}


def _to_new_status(status: dict[str, Any]) -> dict[str, Any]:
    new = {**status, "state": _STATES[status["state"]]}
    if "message" in status:
        new["message"] = _to_new_message(status["message"])
    return new


def _to_new_message(message: dict[str, Any]) -> dict[str, Any]:
    role = "ROLE_AGENT" if message["role"] == "agent" else "ROLE_USER"
    parts = [_to_new_part(part) for part in message["parts"]]
    return {**_drop_fields(message), "role": role, "parts": parts}


def _to_new_artifact(artifact: dict[str, Any]) -> dict[str, Any]:
    return {**artifact, "parts": [_to_new_part(part) for part in artifact["parts"]]}


def _to_new_part(part: dict[str, Any]) -> dict[str, Any]:
    new = _drop_fields(part)
    if part["kind"] != "file":
        return new
    file = new.pop("file")
    source = {"raw": file["bytes"]} if "bytes" in file else {"url": file["uri"]}
    names = {"filename": file.get("name"), "mediaType": file.get("mimeType")}
    return {**new, **source, **{key: value for key, value in names.items() if value}}
