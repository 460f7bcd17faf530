"""The door: nothing answers without the token, under another name, or to another page."""

import socket

import httpx
import pytest
from running_server import base, program, running, visitor
from stub_engine import StubEngine

from bridge.serve.guard import HEADERS
from bridge.serve.listen import bound

EVERY = (
    "/",
    "/page.css",
    "/page.js",
    "/icon.svg",
    "/api/about",
    "/api/openapi.json",
    "/api/reports",
    "/docs",
    "/redoc",
    "/nowhere",
    "/api/reports/x/page",
    "/%2e%2e/etc/passwd",
)


@pytest.fixture(scope="module")
def server():
    """One server for all tests that change nothing of it."""
    with running(StubEngine()) as server:
        yield server


def raw(server, request: bytes) -> bytes:
    """What the server answers to these bytes."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as line:
        line.sendall(request)
        answer = b""
        while part := line.recv(65536):
            answer += part
        return answer


@pytest.mark.parametrize("path", EVERY)
def test_every_path_is_closed_without_the_token_and_has_all_headers(server, path):
    for method in ("GET", "POST", "DELETE", "HEAD"):
        answer = httpx.request(method, base(server) + path, trust_env=False)
        assert answer.status_code == 401
        assert all(answer.headers[name] == value for name, value in HEADERS.items())


@pytest.mark.parametrize("path", EVERY)
def test_every_path_refuses_another_host_name_even_with_the_token(server, client, path):
    for host in ("evil.example", f"evil.example:{server.port}", "127.0.0.1", f"localhost.evil.example:{server.port}", f"127.0.0.1:{server.port + 1}", ""):
        assert client.get(path, headers={"Host": host}).status_code in (400, 421)


def test_two_host_headers_or_none_are_refused(server):
    host, key = f"Host: 127.0.0.1:{server.port}\r\n", f"Authorization: Bearer {server.token}\r\nConnection: close\r\n\r\n"
    for head in (f"GET / HTTP/1.1\r\n{host}Host: evil.example\r\n{key}", f"GET / HTTP/1.1\r\n{key}", f"GET / HTTP/1.0\r\n{key}"):
        assert raw(server, head.encode()).split(b" ")[1] in (b"400", b"421")


def test_loopback_names_answer(server, client):
    for name in ("127.0.0.1", "localhost", "[::1]", "LOCALHOST"):
        assert client.get("/api/about", headers={"Host": f"{name}:{server.port}"}).status_code == 200


def test_the_link_sets_a_cookie_that_scripts_and_other_sites_do_not_get(server):
    answer = httpx.get(server.link, trust_env=False)
    assert answer.status_code == 200
    assert answer.headers["refresh"] == "0; url=/"
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith(f"bridge_session_{server.port}=")
    assert all(word in cookie for word in ("HttpOnly", "SameSite=Strict", "Path=/"))
    assert server.token not in cookie
    assert server.token not in answer.text


@pytest.mark.parametrize("token", ["", "x", "é", "%ff%fe", "a" * 4000])
def test_a_wrong_token_opens_nothing(server, token):
    answer = httpx.get(f"{base(server)}/?token={token}", trust_env=False)
    assert answer.status_code == 401
    assert "set-cookie" not in answer.headers
    head = f"GET /api/about HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n\r\n"
    assert raw(server, head.encode()).split(b" ")[1] == b"401"


def test_half_of_the_token_or_two_tokens_open_nothing(server):
    for query in (server.token[:-1], f"{server.token}x", f"{server.token}&token={server.token}"):
        assert httpx.get(f"{base(server)}/?token={query}", trust_env=False).status_code == 401


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "http://localhost"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"},
    ],
)
def test_what_another_page_sends_changes_nothing(server, headers):
    with visitor(server) as client:
        for send in (client.post, client.delete):
            for path in ("/api/reports", "/api/uploads/brain", "/api/session", "/api/reports/x"):
                assert send(path, headers=headers).status_code == 403


def test_another_page_cannot_read_or_frame(server):
    with visitor(server) as client:
        for site in ("cross-site", "same-site"):
            for kind in ("iframe", "script", "image", "empty"):
                mode = "navigate" if kind == "iframe" else "no-cors"
                headers = {"Sec-Fetch-Site": site, "Sec-Fetch-Dest": kind, "Sec-Fetch-Mode": mode}
                assert client.get("/api/about", headers=headers).status_code == 403
        answer = client.get("/api/about", headers={"Origin": base(server)})
        assert not any(name.startswith("access-control") for name in answer.headers)


def test_a_cookie_alone_changes_nothing_where_the_browser_says_nothing_of_the_page(server):
    with visitor(server) as client:
        del client.headers["Origin"]
        assert client.delete("/api/session").status_code == 403
        assert client.delete("/api/session", headers={"Sec-Fetch-Site": "same-origin"}).status_code == 204


@pytest.mark.parametrize("method", ["OPTIONS", "PUT", "PATCH", "TRACE", "CONNECT", "FOO"])
def test_other_methods_are_refused(server, client, method):
    if method == "CONNECT":
        head = f"CONNECT / HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nAuthorization: Bearer {server.token}\r\nConnection: close\r\n\r\n"
        assert raw(server, head.encode()).split(b" ")[1] == b"405"
    else:
        assert client.request(method, "/api/about").status_code == 405


def test_a_websocket_is_not_opened(server):
    lines = ("Connection: Upgrade, close", "Upgrade: websocket", f"Sec-WebSocket-Key: {'A' * 22}==", "Sec-WebSocket-Version: 13")
    head = "\r\n".join([f"GET /api/about HTTP/1.1\r\nHost: 127.0.0.1:{server.port}", *lines, ""])
    assert raw(server, f"{head}\r\n".encode()).split(b" ")[1] == b"401"
    assert b"101" not in raw(server, f"{head}Authorization: Bearer {server.token}\r\n\r\n".encode())[:20]


def test_the_documentation_of_the_interface_is_behind_the_same_door(client):
    document = client.get("/api/openapi.json").json()
    assert {"/api/about", "/api/uploads/{modality}", "/api/reports", "/api/reports/{report_id}/questions", "/api/session"} <= set(document["paths"])
    assert client.get("/docs").status_code == client.get("/redoc").status_code == 404


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_an_address_that_others_reach_needs_the_flag(host):
    with pytest.raises(ValueError, match="--public"):
        bound(host, 0)
    if host == "0.0.0.0":  # IPv6 is not everywhere
        bound(host, 0, public=True).close()


def test_names_that_were_allowed_answer_and_the_token_is_still_needed(engine):
    with running(engine, further=("bridge.lab",)) as server, program(server) as client:
        for host in ("bridge.lab", f"bridge.lab:{server.port}"):
            assert client.get("/api/about", headers={"Host": host}).status_code == 200
            assert httpx.get(f"{base(server)}/api/about", headers={"Host": host}, trust_env=False).status_code == 401


def test_a_session_sees_nothing_of_another(server):
    with visitor(server) as one, visitor(server) as other, program(server) as third:
        report = one.post("/api/reports", json={"example": "HTT"}).json()["id"]
        file = one.post("/api/uploads/brain", content=b"x").json()["id"]
        assert [each["id"] for each in one.get("/api/reports").json()["reports"]] == [report]
        for stranger in (other, third):
            assert stranger.get("/api/reports").json() == {"reports": []}
            for path in (f"/api/reports/{report}", f"/api/reports/{report}/html", f"/api/reports/{report}/page"):
                assert stranger.get(path).status_code == 404
            assert stranger.post(f"/api/reports/{report}/questions", json={"question": "Who?"}).status_code == 404
            assert stranger.post("/api/reports", json={"inputs": {"brain": {"upload": file}}}).status_code == 404
            assert stranger.delete(f"/api/reports/{report}").status_code == stranger.delete(f"/api/uploads/{file}").status_code == 404
        assert one.get(f"/api/reports/{report}/html").status_code == 200
