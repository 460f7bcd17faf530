"""Bounds of the service: size, pace, line and time, each as a client meets it."""

import contextlib
import socket
import threading
import time

import httpx
import pytest
from running_server import base, events, program, running, upload, visitor, wait_for
from stub_engine import StubEngine

from bridge.serve.limits import Limits

SMALL = Limits(file_bytes=100_000, session_bytes=150_000, json_bytes=2_000, spare_bytes=0, idle_s=0.5, header_s=0.5, slowest_bytes_s=10_000)


@pytest.fixture
def small(engine):
    with running(engine, SMALL) as server:
        yield server


@pytest.fixture(scope="module")
def untouched():
    """A server that accepts nothing in these tests."""
    with running(StubEngine()) as server:
        yield server


def pieces(count, each=10_000, pause_s=0.0):
    """A body of unknown length."""
    for _ in range(count):
        time.sleep(pause_s)
        yield b"x" * each


def files(server):
    """What lies in the folder of the server beside its lock."""
    return [path for path in server.parts.uploads.folder.rglob("*") if path.name != "lock"]


def head(server, *lines):
    """The beginning of an upload."""
    first = ["POST /api/uploads/brain HTTP/1.1", f"Host: 127.0.0.1:{server.port}", f"Authorization: Bearer {server.token}", *lines]
    return "\r\n".join(first).encode() + b"\r\n\r\n"


def answered(line):
    """All that comes until the server hangs up."""
    answer = b""
    with contextlib.suppress(ConnectionResetError):
        while part := line.recv(65536):
            answer += part
    return answer


def test_a_file_that_says_it_is_too_large_is_refused_before_it_comes(small):
    with socket.create_connection(("127.0.0.1", small.port), timeout=10) as line:
        line.sendall(head(small, "Content-Length: 100001"))
        assert answered(line).startswith(b"HTTP/1.1 413")


def test_a_file_without_a_size_is_refused_as_soon_as_it_is_too_large(small):
    with program(small) as client:
        assert client.post("/api/uploads/brain", content=pieces(11)).status_code == 413
        assert client.post("/api/uploads/brain", content=pieces(10)).status_code == 201
    assert sum(path.is_file() for path in files(small)) == 1


def test_a_file_that_is_longer_than_it_says_is_cut_and_one_that_is_shorter_is_dropped(small):
    with socket.create_connection(("127.0.0.1", small.port), timeout=10) as line:
        line.sendall(head(small, "Content-Length: 10") + b"x" * 200_000)
        assert answered(line).startswith(b"HTTP/1.1 201")
    with socket.create_connection(("127.0.0.1", small.port), timeout=10) as line:
        line.sendall(head(small, "Content-Length: 1000") + b"x" * 10)
        wait_for(lambda: len([path for path in files(small) if path.is_file()]) == 2)
    wait_for(lambda: [path.stat().st_size for path in files(small) if path.is_file()] == [10])


@pytest.mark.parametrize("lines", [("Content-Length: 5", "Content-Length: 6"), ("Content-Length: -1",), ("Content-Length: 5", "Transfer-Encoding: chunked")])
def test_a_size_that_says_two_things_is_refused(small, lines):
    with socket.create_connection(("127.0.0.1", small.port), timeout=10) as line:
        line.sendall(head(small, *lines) + b"5\r\nxxxxx\r\n0\r\n\r\n")
        assert answered(line).split(b" ")[1] in (b"400", b"408", b"201")
    assert all(path.stat().st_size <= 5 for path in files(small) if path.is_file())


def test_files_of_a_session_are_bounded_in_sum(small):
    with visitor(small) as client, visitor(small) as other:
        upload(client, "a.nii", b"x" * 90_000)
        assert client.post("/api/uploads/brain", content=b"x" * 70_000).status_code == 413
        assert client.post("/api/uploads/brain", content=pieces(7)).status_code == 413
        kept = upload(client, "b.nii", b"x" * 60_000)
        assert client.delete(f"/api/uploads/{kept}").status_code == 204
        upload(client, "c.nii", b"x" * 60_000)
        upload(other, "d.nii", b"x" * 90_000)


def test_files_that_come_side_by_side_are_bounded_in_sum(small):
    with visitor(small) as client:
        got = []
        threads = [
            threading.Thread(target=lambda: got.append(client.post("/api/uploads/brain", content=pieces(9, pause_s=0.02)).status_code)) for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(got) == [201, 413, 413, 413]
    assert small.parts.uploads.bytes == 90_000


def test_the_room_of_the_server_is_bounded(engine):
    with running(engine, Limits(server_bytes=50_000, spare_bytes=0)) as server, visitor(server) as client, visitor(server) as other:
        upload(client, "a.nii", b"x" * 40_000)
        assert other.post("/api/uploads/brain", content=b"x" * 20_000).status_code == 507
    with running(engine, Limits(spare_bytes=1 << 60)) as server, visitor(server) as client:
        assert client.post("/api/uploads/brain", content=b"x").status_code == 507


def test_the_number_of_files_of_a_session_is_bounded(engine):
    with running(engine, Limits(uploads_kept=2)) as server, visitor(server) as client:
        assert [client.post("/api/uploads/brain", content=b"x").status_code for _ in range(3)] == [201, 201, 413]
        assert len([path for path in files(server) if path.is_file()]) == 2


def test_an_empty_file_and_an_unknown_modality_are_refused(client):
    assert client.post("/api/uploads/brain", content=b"").status_code == 422
    answer = client.post("/api/uploads/heart", content=b"x")
    assert answer.status_code == 404
    assert answer.json() == {"error": "modality: this bundle reads gene, brain"}


def test_any_other_body_is_bounded_too(small):
    with program(small) as client:
        for path in ("/api/reports", "/api/reports/x/questions"):
            assert client.post(path, json={"question": "x" * 3000}).status_code == 413
            assert client.post(path, content=pieces(3, 1000), headers={"Content-Type": "application/json"}).status_code == 413


def test_who_pauses_in_a_body_is_hung_up_on(small):
    with socket.create_connection(("127.0.0.1", small.port), timeout=10) as line:
        line.sendall(head(small, "Content-Length: 100") + b"x")
        assert answered(line).startswith(b"HTTP/1.1 408")
    wait_for(lambda: not files(small))


def test_who_sends_a_body_drop_by_drop_is_hung_up_on(small):
    with program(small) as client:
        assert client.post("/api/uploads/brain", content=pieces(50, 100, pause_s=0.05)).status_code == 408


def test_who_never_finishes_a_head_is_hung_up_on(small):
    for begun in (b"", b"GET / HTTP/1.1\r\nHost: ", b"POST /api/uploads/brain HTTP/1.1\r\nX-A: b\r\n"):
        with socket.create_connection(("127.0.0.1", small.port), timeout=10) as line:
            line.sendall(begun)
            start = time.monotonic()
            with contextlib.suppress(ConnectionResetError):
                assert line.recv(100) == b""
            assert time.monotonic() - start < 5


def test_the_line_is_bounded_and_says_when_to_try_again(engine):
    engine.token_s, engine.tokens = 0.05, 200
    with running(engine, Limits(waiting=2, retry_s=7)) as server, program(server) as client:
        opened = []
        for _ in range(3):
            opened.append(begun(client, example="HTT"))
            wait_for(lambda: server.parts.jobs.load["running"] == 1)
        kept = upload(client, "a.nii")
        full = client.post("/api/reports", json={"inputs": {"brain": {"upload": kept}}})
        assert (full.status_code, full.headers["Retry-After"]) == (429, "7")
        assert client.delete(f"/api/uploads/{kept}").status_code == 204  # still there: the request can be made again
        for response in opened:
            response.close()
        wait_for(lambda: server.parts.jobs.load["running"] == 0)
        assert server.parts.jobs.load["cancelled"] == 3


def test_a_job_that_takes_too_long_is_504_wherever_it_is(engine):
    engine.token_s, engine.tokens = 0.02, 10_000
    with running(engine, Limits(deadline_s=0.4)) as server, program(server) as client:
        answers = []
        threads = [threading.Thread(target=lambda: answers.append(client.post("/api/reports", json={"example": "HTT"}).status_code)) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert answers == [504, 504, 504]
        wait_for(lambda: server.parts.jobs.load["running"] == 0, 2)
        assert server.parts.jobs.load["timed out"] == 3
        with client.stream("POST", "/api/reports", json={"example": "HTT"}, headers={"Accept": "text/event-stream"}) as stream:
            assert list(events(stream))[-1][1]["status"] == 504


def begun(client, **body):
    """A report that has been asked for, with its events still to come."""
    return client.send(client.build_request("POST", "/api/reports", json=body, headers={"Accept": "text/event-stream"}), stream=True)


@pytest.mark.parametrize("listens", [True, False])
def test_who_hangs_up_frees_the_worker_within_two_seconds_and_leaves_no_file(engine, listens):
    engine.token_s, engine.tokens = 0.01, 100_000
    with running(engine) as server, program(server) as client:
        kept = upload(client, "a.nii")
        if listens:
            stream = begun(client, inputs={"brain": {"upload": kept}})
            wait_for(lambda: engine.busy)
            stream.close()
        else:
            with pytest.raises(httpx.ReadTimeout):
                client.post("/api/reports", json={"inputs": {"brain": {"upload": kept}}}, timeout=0.5)
        assert wait_for(lambda: not engine.busy and server.parts.jobs.load["running"] == 0) < 2
        assert server.parts.jobs.load["cancelled"] == 1
        wait_for(lambda: not files(server))


def test_a_job_that_waits_is_cancelled_when_its_client_goes(engine):
    engine.token_s, engine.tokens = 0.01, 100_000
    with running(engine) as server, program(server) as client:
        first = begun(client, example="HTT")
        with pytest.raises(httpx.ReadTimeout):
            client.post("/api/reports", json={"inputs": {"brain": {"upload": upload(client, "a.nii")}}}, timeout=0.3)
        wait_for(lambda: server.parts.jobs.load["cancelled"] == 1)
        assert not files(server)
        first.close()


def test_deleting_a_report_stops_it_and_its_waiter_is_told(engine):
    engine.token_s, engine.tokens = 0.01, 100_000
    with (
        running(engine) as server,
        program(server) as client,
        client.stream("POST", "/api/reports", json={"example": "HTT"}, headers={"Accept": "text/event-stream"}) as stream,
    ):
        news = events(stream)
        _, first = next(news)
        assert client.get(f"/api/reports/{first['id']}").json()["state"] in ("waiting", "running")
        assert client.get(f"/api/reports/{first['id']}/html").status_code == 409
        assert client.delete(f"/api/reports/{first['id']}").status_code == 204
        assert list(news)[-1][1]["status"] == 409
        assert client.get(f"/api/reports/{first['id']}").status_code == 404


def test_stopping_the_server_ends_what_runs_and_removes_its_folder(engine):
    engine.token_s, engine.tokens = 0.01, 100_000
    with running(engine) as server:
        client = program(server)
        stream = begun(client, example="HTT")
        folder = server.parts.uploads.folder
        assert folder.stat().st_mode & 0o777 == 0o700
    assert list(events(stream))[-1][1]["state"] == "cancelled"
    assert not folder.exists()
    client.close()


def test_old_files_sessions_and_reports_are_forgotten(engine):
    with running(engine, Limits(unused_s=0.0, session_s=0.05, reports_kept=2, sessions=2)) as server, visitor(server) as client:
        upload(client, "a.nii")
        ids = [client.post("/api/reports", json={"example": "HTT"}).json()["id"] for _ in range(3)]
        assert [client.get(f"/api/reports/{each}").status_code for each in ids] == [404, 200, 200]
        time.sleep(0.1)
        server.parts.sessions.sweep()
        assert not files(server)
        assert client.get("/api/reports").status_code == 401
        guests = [visitor(server) for _ in range(3)]
        assert [guest.get("/api/about").status_code for guest in guests] == [401, 200, 200]
        for guest in guests:
            guest.close()


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (ValueError("brain.nii: found 4-D,\nexpected 3-D"), 422, "brain.nii: found 4-D,\nexpected 3-D"),
        (KeyError("canary"), 500, "the server failed (KeyError)"),
    ],
)
def test_an_error_is_one_line_for_the_one_who_asked(error, status, said):
    with running(StubEngine(fails=error)) as server, program(server) as client:
        answer = client.post("/api/reports", json={"example": "HTT"})
        assert (answer.status_code, answer.json()["error"]) == (status, " ".join(said.split()))
        assert "Traceback" not in answer.text


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"x"',
        b"\xff\xfe",
        b"[" * 50_000,
        b'{"example": "\\ud800"}',
        b'{"example": "HTT", "config": "x.yaml"}',
        b'{"example": "HTT", "class_path": "os.system"}',
        b'{"example": "HTT", "bundle": "/etc"}',
        b'{"inputs": {"brain": "/etc/passwd"}}',
        b'{"inputs": {"brain": {"upload": "../../etc/passwd"}}}',
        b'{"inputs": {"brain": {"path": "/etc/passwd"}}}',
        *(b'{"inputs": {"brain": {"upload": "x", "key": "%s"}}}' % key for key in (b"X#/etc/passwd", b"labels=x", b"X,x", b"../X", b"X\\\\x", b"X\\u0000")),
        b'{"inputs": {}}',
        b"{}",
        b'{"example": "nobody"}',
        b'{"example": 3}',
        b'{"example": "HTT", "note": null}',
        b'{"example": "HTT", "note": NaN}',
    ],
)
def test_a_body_that_is_not_what_is_documented_is_refused_in_one_line(untouched, body):
    client = program(untouched)
    answer = client.post("/api/reports", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code in (404, 413, 422)
    (line,) = answer.json().values()
    assert "\n" not in line
    assert not any(word in line for word in ("passwd", "nobody", "config", "Traceback"))
    assert untouched.parts.jobs.load["accepted"] == 0
    assert client.post("/api/reports", json={"example": "HTT"}, headers={"Content-Type": "text/plain"}).status_code == 415
    client.close()


def test_a_file_for_one_modality_is_no_input_of_another_and_long_texts_are_refused(client):
    file = upload(client, "a.nii", modality="brain")
    assert client.post("/api/reports", json={"inputs": {"gene": {"upload": file}}}).status_code == 422
    assert client.post("/api/reports", json={"inputs": {"gene": {"upload": file}, "brain": {"upload": file}}}).status_code == 422
    assert client.post("/api/reports", json={"example": "HTT", "note": "x" * 20_001}).status_code == 422
    report = client.post("/api/reports", json={"inputs": {"brain": {"upload": file}}}).json()["id"]
    assert client.post(f"/api/reports/{report}/questions", json={"question": "x" * 1001}).status_code == 422
    assert client.post(f"/api/reports/{report}/questions", json={"question": ""}).status_code == 422


def test_connections_are_bounded(engine):
    with running(engine, Limits(connections=5)) as server:
        lines = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(6)]
        wait_for(lambda: len(server.server_state.connections) == 6)
        assert httpx.get(base(server), trust_env=False).status_code == 503
        for line in lines:
            line.close()
