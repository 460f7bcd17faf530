"""Routes for reports and for questions about their samples."""

from __future__ import annotations

import functools
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from bridge.serve.engine import Asked, File
from bridge.serve.jobs import Job, State
from bridge.serve.pages import REPORT_POLICY
from bridge.serve.parts import Parts, session_of
from bridge.serve.refusal import RefusedError
from bridge.serve.sessions import Session
from bridge.serve.stream import followed
from bridge.serve.uploads import Upload, Uploads
from bridge.serve.wire import FileWanted, Progress, QuestionWanted, Reports, ReportWanted, progress, read, schema

FORMS = {
    "html": ("page", "text/html"),
    "markdown": ("markdown", "text/markdown"),
    "json": ("json_text", "application/json"),
}
ENDINGS = {"html": "html", "markdown": "md", "json": "json"}
STREAM = {200: {"model": Progress, "content": {"text/event-stream": {}}}}


def report_routes(parts: Parts) -> APIRouter:
    """Reports and questions."""
    router = APIRouter()

    @router.post("/reports", openapi_extra=schema(ReportWanted), responses=STREAM)
    async def write(request: Request) -> Response:
        """Write a report; the answer comes when it has ended, or as events."""
        session, wanted = session_of(request), await read(request, ReportWanted)
        used = [session.unused(file.upload) for file in wanted.inputs.values()]
        asked = _asked(parts, wanted, used)
        job = Job(functools.partial(parts.engine.write, asked), parts.limits.deadline_s, ended=lambda: _delete(parts.uploads, used))
        parts.jobs.put(job)
        session.take(used)
        session.add(job)
        return await followed(request, job, parts.jobs)

    @router.get("/reports")
    async def listed(request: Request) -> Reports:
        """The reports of this session, the oldest first."""
        return Reports(reports=tuple(progress(job, parts.jobs) for job in session_of(request).jobs.values()))

    @router.get("/reports/{report_id}")
    async def state(report_id: str, request: Request) -> Progress:
        """Where a report is."""
        return progress(session_of(request).job(report_id), parts.jobs)

    @router.get("/reports/{report_id}/page", include_in_schema=False)
    async def shown(report_id: str, request: Request) -> Response:
        """The report as the page shows it: in a sandbox of its own."""
        written, _ = _done(session_of(request), report_id)
        return Response(written.page, media_type="text/html", headers={"Content-Security-Policy": REPORT_POLICY})

    @router.get("/reports/{report_id}/{form}")
    async def download(report_id: str, form: str, request: Request) -> Response:
        """The report as a file: html, markdown or json."""
        written, _ = _done(session_of(request), report_id)
        if form not in FORMS:
            raise RefusedError(404, f"form: expected one of {', '.join(FORMS)}")
        field, kind = FORMS[form]
        headers = {"Content-Disposition": f'attachment; filename="report.{ENDINGS[form]}"', "Content-Security-Policy": REPORT_POLICY}
        return Response(getattr(written, field), media_type=kind, headers=headers)

    @router.delete("/reports/{report_id}", status_code=204)
    async def forget(report_id: str, request: Request) -> None:
        """Stop a report, or delete it."""
        session_of(request).forget(report_id)

    @router.post("/reports/{report_id}/questions", openapi_extra=schema(QuestionWanted), responses=STREAM)
    async def ask(report_id: str, request: Request) -> Response:
        """Ask about the sample of a report; the answer passes the same check as a report."""
        session, wanted = session_of(request), await read(request, QuestionWanted)
        _, sample = _done(session, report_id)
        _require_short("question", wanted.question, parts.limits.question_characters)
        job = Job(functools.partial(parts.engine.ask, sample, wanted.question), parts.limits.deadline_s)
        parts.jobs.put(job)
        session.add_question(job)
        return await followed(request, job, parts.jobs)

    return router


def _asked(parts: Parts, wanted: ReportWanted, used: list[Upload]) -> Asked:
    """What a report is to be about, checked."""
    if bool(wanted.example) == bool(wanted.inputs):
        raise RefusedError(422, "body: expected an example or inputs, one of both")
    if wanted.example and wanted.example not in parts.engine.about.examples:
        raise RefusedError(422, "body, field example: not one of the examples in /api/about")
    _require_short("note", wanted.note, parts.limits.note_characters)
    for (modality, _), upload in zip(wanted.inputs.items(), used, strict=True):
        if upload.modality != modality:
            raise RefusedError(422, f"body, field inputs: a file that was uploaded for {upload.modality!r} is given for another modality")
    return Asked(wanted.example, {upload.modality: _file(upload, wanted.inputs[upload.modality]) for upload in used}, wanted.note)


def _file(upload: Upload, wanted: FileWanted) -> File:
    return File(upload.path, upload.name, wanted.sample, wanted.key)


def _require_short(field: str, text: str, longest: int) -> None:
    if len(text) > longest:
        raise RefusedError(422, f"body, field {field}: found {len(text)} characters, expected at most {longest}")


def _done(session: Session, report_id: str) -> tuple[Any, Any]:
    """A finished report and its sample."""
    job = session.job(report_id)
    if job.state is not State.DONE:
        raise RefusedError(409, f"report: it is {job.state}, expected done")
    return job.result


def _delete(uploads: Uploads, used: list[Upload]) -> None:
    for upload in used:
        uploads.delete(upload)
