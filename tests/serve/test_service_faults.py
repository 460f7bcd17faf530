"""What goes wrong in the service itself: a panic in the worker, a server that is killed, a client that goes in the middle of a file."""

import logging
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from running_server import base, program, running, wait_for
from stub_engine import StubEngine

from bridge.serve.limits import Limits
from bridge.serve.uploads import LOCK, Uploads

HOLD = """
import asyncio, sys, time
from pathlib import Path
from bridge.serve.limits import Limits
from bridge.serve.uploads import Uploads

async def content():
    yield b"of a patient"

uploads = Uploads(Limits(spare_bytes=0), Path(sys.argv[1]))
asyncio.run(uploads.receive(content(), "brain", "a.nii", 100))
print(uploads.folder, flush=True)
time.sleep(100)
"""


class Panic(BaseException):
    """As libraries in Rust raise it: no Exception."""


def test_a_panic_ends_one_job_and_the_worker_goes_on():
    engine = StubEngine(fails=Panic("of a patient"))
    with running(engine) as server, program(server) as client:
        failed = client.post("/api/reports", json={"example": "HTT"}, timeout=5)
        assert (failed.status_code, failed.json()["error"]) == (500, "the server failed (Panic)")
        engine.fails = None
        assert client.post("/api/reports", json={"example": "HTT"}, timeout=5).status_code == 200
        assert server.parts.jobs.load["failed"] == 1


def test_files_of_a_server_that_was_killed_are_removed_by_the_next_and_those_of_one_that_runs_are_not(tmp_path):
    with subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True) as held:
        folder = Path(held.stdout.readline().strip())
        Uploads(Limits(), tmp_path).close()
        assert len([path for path in folder.rglob("upload*") if path.is_file()]) == 1
        held.send_signal(signal.SIGKILL)
        held.wait(timeout=10)
    assert folder.exists()
    Uploads(Limits(), tmp_path).close()
    assert not list(tmp_path.iterdir())


def test_what_is_not_a_folder_of_ours_is_left_alone(tmp_path):
    for name in ("bridge-serve-file", "bridge-serve-empty/x", "bridge-other/lock"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("kept")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / LOCK).write_text("")
    (tmp_path / "bridge-serve-link").symlink_to(tmp_path / "elsewhere")
    before = sorted(tmp_path.rglob("*"))
    Uploads(Limits(), tmp_path).close()
    assert sorted(tmp_path.rglob("*")) == before


def test_a_client_that_goes_in_the_middle_of_a_file_is_no_error_and_leaves_none(server, caplog):
    head = f"POST /api/uploads/brain HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nAuthorization: Bearer {server.token}\r\nContent-Length: 99\r\n\r\nx"
    with caplog.at_level(logging.DEBUG), socket.create_connection(("127.0.0.1", server.port)) as line:
        line.sendall(head.encode())
        wait_for(lambda: list(server.parts.uploads.folder.rglob("upload*")))
        line.close()
        wait_for(lambda: not list(server.parts.uploads.folder.rglob("upload*")))
        wait_for(lambda: not server.server_state.tasks)
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert (server.parts.uploads.bytes, server.parts.uploads.receiving) == (0, 0)


def test_reports_that_failed_take_no_room_from_those_that_are_there(engine):
    with running(engine, Limits(reports_kept=3)) as server, program(server) as client:
        there = client.post("/api/reports", json={"example": "HTT"}).json()["id"]
        engine.fails = ValueError("refused")
        assert [client.post("/api/reports", json={"example": "HTT"}).status_code for _ in range(5)] == [422] * 5
        assert len(client.get("/api/reports").json()["reports"]) == 3
        assert client.get(f"/api/reports/{there}/html").status_code == 200


@pytest.mark.parametrize("path", ["/", "/page.js", "/api/about", "/api/reports", "/api/openapi.json"])
def test_head_tells_what_get_tells_without_its_body(client, server, path):
    with_body, without = client.get(path), client.head(path)
    assert (without.status_code, without.content) == (200, b"")
    assert without.headers["content-length"] == with_body.headers["content-length"]
    assert client.head(f"{base(server)}/nowhere").status_code == 404


def test_the_parts_of_a_form_are_refused_as_no_file(client, server):
    answer = client.post("/api/uploads/brain", files={"file": ("a.nii", b"x")})
    assert answer.status_code == 415
    assert "expected the file itself as the body" in answer.json()["error"]
    assert not list(server.parts.uploads.folder.rglob("upload*"))
