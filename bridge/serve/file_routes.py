"""Routes for what the service is, for files, and for forgetting."""

from __future__ import annotations

from urllib.parse import unquote

from fastapi import APIRouter, Request

from bridge.serve.body import declared, too_large
from bridge.serve.engine import Engine
from bridge.serve.parts import Parts, session_of
from bridge.serve.refusal import RefusedError
from bridge.serve.wire import Service, Uploaded

UPLOAD_BODY = {
    "requestBody": {"required": True, "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}},
    "parameters": [
        {"name": "X-File-Name", "in": "header", "schema": {"type": "string"}, "description": "Its name, percent-encoded; the ending tells the form"}
    ],
}


def file_routes(parts: Parts) -> APIRouter:
    """What the service is, files in, and forgetting."""
    router = APIRouter()

    @router.get("/about")
    async def about() -> Service:
        """What the bundle reads, its examples, how busy the service is, and its bounds."""
        bounds = {name: getattr(parts.limits, name) for name in ("file_bytes", "note_characters", "question_characters", "deadline_s", "waiting")}
        return Service(about=parts.engine.about, load=parts.jobs.load, limits=bounds)

    @router.post("/uploads/{modality}", status_code=201, openapi_extra=UPLOAD_BODY)
    async def upload(modality: str, request: Request) -> Uploaded:
        """Upload a file as the raw body. It is deleted when the report it is used for has ended."""
        session = session_of(request)
        _require_modality(parts.engine, modality)
        if request.headers.get("content-type", "").lower().startswith("multipart/"):
            raise RefusedError(415, "content-type: found the parts of a form, expected the file itself as the body, as curl --data-binary @FILE sends it")
        left = min(session.bytes_left, parts.limits.file_bytes)
        if (declared(request.scope["headers"]) or 0) > left:
            raise too_large(left)
        name = unquote(request.headers.get("x-file-name", "file"), errors="replace")
        received = await parts.uploads.receive(request.stream(), modality, name, left)
        session.keep(received)
        return Uploaded(id=received.id, modality=modality, name=received.name, bytes=received.bytes)

    @router.delete("/uploads/{upload_id}", status_code=204)
    async def drop(upload_id: str, request: Request) -> None:
        """Delete an unused file."""
        session_of(request).drop(upload_id)

    @router.delete("/session", status_code=204)
    async def forget(request: Request) -> None:
        """Stop and delete everything of this session."""
        session_of(request).clear()

    return router


def _require_modality(engine: Engine, modality: str) -> None:
    known = [each.modality for each in engine.about.inputs]
    if modality not in known:
        raise RefusedError(404, f"modality: this bundle reads {', '.join(known)}")
