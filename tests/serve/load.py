"""Figures of the service, printed by one command: ``python tests/serve/load.py`` (``--fast`` for fewer rounds).

A real server with an engine that needs no model: 200 requests at once, 3 times, every accepted one ends exactly once; the worker
is free again after a closed tab; traversal names, script payloads and canaries leave nothing behind.
"""

from __future__ import annotations

import asyncio
import io
import logging
import sys
import tempfile
import time
from collections import Counter
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import httpx
from hostile_texts import CANARY, SCRIPTS, TRAVERSALS
from running_server import base, program, running, upload, visitor, wait_for
from stub_engine import StubEngine

from bridge.serve.limits import Limits

AT_ONCE = 200


async def crowd(server, rounds: int) -> Counter:
    """So many requests at once, so many times: how they were answered."""
    settings = {"base_url": base(server), "headers": {"Authorization": f"Bearer {server.token}"}, "trust_env": False, "timeout": 60}
    answers = Counter()
    async with httpx.AsyncClient(**settings, limits=httpx.Limits(max_connections=AT_ONCE)) as client:
        for _ in range(rounds):
            answers.update(await asyncio.gather(*[one(client, number) for number in range(AT_ONCE)]))
    return answers


async def one(client: httpx.AsyncClient, number: int) -> str:
    """A request as one of many sends it: some wait, some listen, some hang up."""
    events, body = {"Accept": "text/event-stream"} if number % 3 == 1 else {}, {"example": "APOE" if number % 7 == 3 else "HTT"}
    if number % 5 == 4:
        try:
            return said(await client.post("/api/reports", json=body, headers=events, timeout=httpx.Timeout(60, read=0.02)))
        except httpx.ReadTimeout:
            return "hung up"
    return said(await client.post("/api/reports", json=body, headers=events))


def said(answer: httpx.Response) -> str:
    """How a request was answered."""
    if answer.status_code == 429:
        return "429 with Retry-After" if int(answer.headers.get("Retry-After", 0)) > 0 else "429 without Retry-After"
    ends = answer.text.count("event: end") if "event-stream" in answer.headers["content-type"] else 1
    return str(answer.status_code) if ends == 1 else f"{ends} ends"


def ends_once(rounds: int) -> dict[str, int | float]:
    """Accepted requests and their ends."""
    with running(StubEngine(token_s=0.002, tokens=5, refuses="APOE"), Limits(waiting=32, deadline_s=1.0)) as server:
        answers = asyncio.run(crowd(server, rounds))
        wait_for(lambda: not any(server.parts.jobs.load[each] for each in ("running", "waiting")))
        load = server.parts.jobs.load
    ends = sum(load[each] for each in ("done", "failed", "cancelled", "timed out"))
    told = {f"requests answered {answer}": count for answer, count in sorted(answers.items())}
    how = {f"of them {end}": load[end] for end in ("done", "failed", "cancelled", "timed out")}
    refused = sum(count for answer, count in answers.items() if answer.startswith("429"))
    return {
        "requests": rounds * AT_ONCE,
        "accepted": load["accepted"],
        "accepted that ended exactly once": ends,
        **how,
        **told,
        "429 without Retry-After": answers["429 without Retry-After"],
        "requests neither accepted nor refused": rounds * AT_ONCE - answers["hung up"] - refused - sum(answers[each] for each in ("200", "422", "504")),
    }


def freed(tabs: int) -> float:
    """Longest time until the worker is free after a closed tab, in seconds."""
    longest, engine = 0.0, StubEngine(token_s=0.05, tokens=100_000)
    with running(engine) as server:
        for _ in range(tabs):
            client = program(server, headers={"Accept": "text/event-stream"})
            client.send(client.build_request("POST", "/api/reports", json={"example": "HTT"}), stream=True)
            wait_for(lambda: engine.busy)
            client.close()
            longest = max(longest, wait_for(lambda: not engine.busy and not server.parts.jobs.load["running"]))
    return longest


def escapes() -> int:
    """Files that were written elsewhere than in a folder of their own, over all names."""
    with tempfile.TemporaryDirectory() as watched, running(StubEngine()) as server, visitor(server) as client:
        before, folder, outside = everything(Path(watched).parent), server.parts.uploads.folder, 0
        for name in TRAVERSALS:
            upload(client, name)
            (kept,) = [path for path in folder.rglob("*") if path.is_file() and path.name != "lock"]
            outside += kept.parent.parent != folder or not kept.name.startswith("upload") or kept.resolve() != kept
            client.delete("/api/session")
        after = {path for path in everything(Path(watched).parent) if folder not in path.parents}
        return outside + len([path for path in after - before if CANARY in path.name or path.name.startswith("upload")])


def everything(folder: Path) -> set[Path]:
    """Paths in a folder, three levels deep; what others delete meanwhile does not matter."""
    return {path for pattern in ("*", "*/*", "*/*/*") for path in folder.glob(pattern)}


def live_markup() -> int:
    """Answers to the payloads, put in every field, in which one is markup."""
    live, engine = 0, StubEngine()
    with running(engine) as server, visitor(server) as client:
        for payload in SCRIPTS:
            engine.says, engine.bundle, engine.examples = payload, payload, (payload[:100],)
            body = {"inputs": {"brain": {"upload": upload(client, f"{payload}.nii"), "sample": payload[:200]}}, "note": payload}
            report = client.post("/api/reports", json=body).raise_for_status().json()["id"]
            client.post(f"/api/reports/{report}/questions", json={"question": payload}).raise_for_status()
            pages = [client.get(f"/api/reports/{report}/{form}") for form in ("page", "html")]
            live += sum(payload in page.text for page in pages if "<" in payload)
            others = [client.get("/api/about"), client.get("/api/reports"), client.get(f"/api/reports/{report}"), client.get(f"/api/reports/{report}/json")]
            live += sum("html" in answer.headers["content-type"] for answer in others)
    return live


def canaries() -> int:
    """Places in logs, output and temporary files that hold the mark planted in every field, in reports that succeed and that fail."""
    out, log = io.StringIO(), io.StringIO()
    handler = logging.StreamHandler(log)
    root = logging.getLogger()
    root.addHandler(handler)
    level, root.level = root.level, logging.DEBUG
    try:
        with redirect_stdout(out), redirect_stderr(out):
            folder = plant()
    finally:
        root.removeHandler(handler)
        root.level = level
    left = list(folder.rglob("*")) if folder.exists() else []
    return out.getvalue().count(CANARY) + log.getvalue().count(CANARY) + len(left)


def plant() -> Path:
    """Put the mark wherever a visitor can, also where it is refused; the server's folder, which is gone then."""
    for fails in (None, ValueError(CANARY), KeyError(CANARY)):
        with running(StubEngine(says=CANARY, fails=fails)) as server, visitor(server) as client:
            folder = server.parts.uploads.folder
            kept = upload(client, f"{CANARY}.nii", CANARY.encode())
            body = {"inputs": {"brain": {"upload": kept, "sample": CANARY}}, "note": CANARY}
            report = client.post("/api/reports", json=body).json().get("id", "x")
            client.post(f"/api/reports/{report}/questions", json={"question": CANARY})
            client.post("/api/reports", json={"example": CANARY, CANARY: CANARY})
            client.post(f"/api/uploads/{CANARY}", content=CANARY.encode(), headers={"X-File-Name": CANARY})
            client.get(f"/{CANARY}?q={CANARY}")
            client.get("/", params={"token": CANARY})
            client.get("/api/about", headers={"Host": CANARY})
            upload(client, f"{CANARY}.h5ad", CANARY.encode())
            waiting = kept_folders(server)
            assert not any(CANARY.encode() in path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.parent.name not in waiting)
    return folder


def kept_folders(server) -> set[str]:
    """Folders of files that wait to be used."""
    sessions = server.parts.sessions
    return {upload.path.parent.name for session in sessions._of.values() for upload in session.uploads.values()}


def figures(fast: bool = False) -> dict[str, int | float]:
    """All figures."""
    start = time.monotonic()
    found = ends_once(1 if fast else 3)
    found["seconds until the worker is free after a closed tab, longest of " + ("5" if fast else "20")] = round(freed(5 if fast else 20), 2)
    found[f"files outside their folder, {len(TRAVERSALS)} names"] = escapes()
    found[f"answers with live markup, {len(SCRIPTS)} payloads in every field"] = live_markup()
    found["marks in logs, output and temporary files"] = canaries()
    return found | {"seconds": round(time.monotonic() - start)}


if __name__ == "__main__":
    for name, value in figures("--fast" in sys.argv).items():
        print(f"{name}: {value}")
