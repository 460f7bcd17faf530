"""What goes over the wire: closed JSON objects; none of them can name a configuration, a class or a path."""

from __future__ import annotations

import json
from typing import Any, TypeVar

from pydantic import Field, ValidationError
from starlette.requests import Request

from bridge.data.typed import Typed
from bridge.report.questions.answer import Answer
from bridge.serve.engine import About
from bridge.serve.jobs import Job, Jobs, State
from bridge.serve.refusal import RefusedError, one_line

Model = TypeVar("Model", bound=Typed)
#: A key of a file that can be no path, no second file and no choice of one.
ONE_KEY = r"^[^#,=/\\\x00-\x1f\x7f]*$"


class Uploaded(Typed):
    """A file that came in."""

    id: str
    modality: str
    name: str
    bytes: int


class FileWanted(Typed):
    """An uploaded file as an input."""

    upload: str = Field(max_length=64, description="Id of the uploaded file")
    sample: str = Field("", max_length=200, description="Which sample of it, where it holds several")
    key: str = Field("", max_length=200, pattern=ONE_KEY, description="Which table of it, such as X or obsm:NAME, where it holds several")


class ReportWanted(Typed):
    """What a report is to be about: an example or uploaded files, never both."""

    example: str = Field("", max_length=200, description="Id of an example")
    inputs: dict[str, FileWanted] = Field(default_factory=dict, description="Modality to its file", max_length=16)
    note: str = Field("", description="Clinical note; it is quoted to the model as data")


class QuestionWanted(Typed):
    """A question about the sample of a report."""

    question: str = Field(min_length=1)


class Progress(Typed):
    """Where a job is."""

    id: str
    state: State
    status: int = Field(description="HTTP status that goes with the state: 202 while it goes on, then 200, 409, 422, 500 or 504")
    place: int = Field(0, description="Jobs that come before it")
    step: str = ""
    tokens: int = Field(0, description="Written in this step")
    of: int = Field(0, description="Longest the step may get, in tokens")
    error: str = ""
    title: str = Field("", description="What the sample of a finished report is called")
    answer: Answer | None = Field(None, description="To a question")


class Service(Typed):
    """What the service is and how busy."""

    about: About
    load: dict[str, int]
    limits: dict[str, int | float]


class Reports(Typed):
    """The reports of a session."""

    reports: tuple[Progress, ...]


class Problem(Typed):
    """Every refusal."""

    error: str = Field(description="One line")


STATUS = {State.WAITING: 202, State.RUNNING: 202, State.DONE: 200, State.CANCELLED: 409, State.TIMED_OUT: 504}
SAID = {State.CANCELLED: "cancelled", State.TIMED_OUT: "it took longer than the server allows; try again later or with a shorter note"}


def progress(job: Job, jobs: Jobs) -> Progress:
    """A job as its owner sees it."""
    status = STATUS.get(job.state, 422 if job.refused else 500)
    result = job.result
    told = {"answer": result} if isinstance(result, Answer) else {"title": result[0].report.id} if result else {}
    watch = job.watch
    error = one_line(job.error) or SAID.get(job.state, "")
    return Progress(
        id=job.id, state=job.state, status=status, place=jobs.place(job), step=watch.step_name, tokens=watch.tokens, of=watch.of, error=error, **told
    )


async def read(request: Request, kind: type[Model]) -> Model:
    """The JSON body of a request.

    Raises:
        RefusedError: 422 with the field, never with what was in it.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise RefusedError(415, "content-type: expected application/json")
    body = await request.body()
    try:
        return kind.model_validate(_plain(json.loads(body)))
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        known = [str(part) if isinstance(part, int) or str(part) in {*kind.model_fields, *FileWanted.model_fields} else "*" for part in first["loc"]]
        why = "holds a sign that it cannot have" if first["type"] == "string_pattern_mismatch" else first["msg"].lower()
        raise RefusedError(422, f"body, field {'.'.join(known) or 'of the top'}: {why}; see /api/openapi.json") from None
    except (ValueError, RecursionError):
        raise RefusedError(422, "body: not JSON in UTF-8") from None


def _plain(value: Any) -> Any:
    """The same, refused where a text holds what is no character: it could not be written anywhere."""
    json.dumps(value, ensure_ascii=False).encode("utf-8")
    return value


def schema(kind: type[Typed]) -> dict[str, Any]:
    """The body of a route, for the documentation."""
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": kind.model_json_schema()}}}}
