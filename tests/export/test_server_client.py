"""A server that is busy is asked again; whatever else goes wrong is said in one line, in the server's own words where it has some."""

import email.utils
import http.client
import socket
import threading
from datetime import UTC, datetime, timedelta

import pytest
import torch

from bridge.export.client import Ask, Client
from bridge.language.questions import REPORT_ASK
from bridge.language.server import Server, retry_after


@pytest.fixture
def ask():
    """``ask(export)``: a request for two tokens about a sample of the test split."""

    def make(export, sample="sample-24", **settings):
        soft = export.embeds[sample]
        return Ask(soft, export.prompt.text(REPORT_ASK[0]), export.prompt.count(len(soft), REPORT_ASK[0]), **{"max_new_tokens": 2} | settings)

    return make


def test_a_busy_server_is_asked_again_after_the_time_it_names(export, served, ask):
    pauses = []
    client, stub = served(export, pauses=pauses)
    stub.first = [(429, {"Retry-After": "7"}, b""), (503, {}, b"overloaded")]
    assert len(client.ask(ask(export)).ids) == 2
    assert pauses == [7.0, 2.0]


def test_a_server_that_stays_busy_is_given_up(export, served, ask):
    client, stub = served(export)
    stub.first = [(429, {}, b'{"error": {"message": "too many\\n requests"}}')] * 9
    with pytest.raises(ValueError, match=r"server http://127.*: answered 429, too many requests$"):
        client.ask(ask(export))
    assert len(stub.first) == 6


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("7", 7.0), ("600", 60.0), (None, 4.0), ("soon", 4.0), ("", 4.0), ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0), ("Wed, 21 Oct 2015 07:28:00", 4.0)],
)
def test_how_long_to_wait(header, seconds):
    assert retry_after(header, otherwise=4.0) == seconds


def test_a_date_to_wait_for_is_understood():
    date = email.utils.format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    assert 25 < retry_after(date, otherwise=4.0) <= 30


@pytest.mark.parametrize("option", ["--chat-template-content-format", "--enable-prompt-embeds"])
def test_a_server_without_an_option_of_the_launch_script_is_refused(option, export, served, ask):
    client, _ = served(export, without=[option])
    message = "expected one message: soft tokens, then text" if "content" in option else "You must set `--enable-prompt-embeds`"
    with pytest.raises(ValueError, match=f"answered 400, .*{message}"):
        client.ask(ask(export))


def test_a_server_that_makes_another_prompt_is_refused(export, served, ask):
    client, stub = served(export)
    stub.tokenizer.chat_template = "{% for part in messages[0].content %}{{ part.text + '\n' }}{% endfor %}"
    with pytest.raises(ValueError, match=r"made \d+ tokens of the prompt, expected \d+; start it with the export's launch.sh"):
        client.ask(ask(export))


def test_soft_tokens_do_not_reach_the_llm_of_another_bundle(export, served, ask):
    client, _ = served(export)
    with pytest.raises(ValueError, match="answered 404, The model `bridge-another` does not exist"):
        Client(client.server, "bridge-another").ask(ask(export))


def test_tokens_of_another_width_are_refused_in_the_servers_words(export, served, ask):
    client, _ = served(export)
    with pytest.raises(ValueError, match=r"answered 400, `prompt_embeds` must be a 2D tensor of shape \(num_tokens, 32\)"):
        client.ask(Ask(torch.ones(2, 31), "Write.", 9))


def test_a_wrong_key_is_refused(export, served, ask):
    client, _ = served(export, key="secret")
    assert client.ask(ask(export)).ids
    with pytest.raises(ValueError, match="answered 401, Unauthorized"):
        Client(Server(client.server.url, key="guess"), client.model).ask(ask(export))


@pytest.mark.parametrize(("version", "is_enough"), [("0.21.2", False), ("0.22.0", True), ("0.33.0rc1+cu128", True), ("1.0.0", True), ("dev", True)])
def test_an_old_version_is_refused_before_anything_is_asked(version, is_enough, export, served):
    client, stub = served(export, version=version)
    if is_enough:
        assert client.version() == version
    else:
        with pytest.raises(ValueError, match=r"found vLLM 0.21.2, expected 0.22 or newer"):
            client.version()
    assert not stub.requests


def test_nobody_there_is_said_with_the_remedy():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(ValueError, match=r"no answer \(.*refused.*\); start it with the export's launch.sh"):
            Server(url).send("/version")


def test_a_server_that_says_nothing_is_given_up_in_time():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(ValueError, match=r"no answer \(timed out\)"):
            Server(url, timeout=0.1).send("/version")


BODIES = {
    "not JSON": (b"<html>", "its answer is not JSON"),
    "a list": (b"[]", "found list, expected a JSON object"),
    "no choices": (b"{}", r"has no text, token ids, probabilities or count of tokens \(KeyError\('choices'\)\)"),
    "two choices": (b'{"choices": [{}, {}], "usage": {"prompt_tokens": 3}}', "has no text, token ids"),
    "no probabilities": (b'{"choices": [{"message": {"content": "a"}, "token_ids": [1], "logprobs": null}], "usage": {"prompt_tokens": 3}}', "has no text"),
}


@pytest.mark.parametrize(("body", "message"), BODIES.values(), ids=BODIES)
def test_an_answer_of_another_kind_is_refused(body, message, export, served, ask):
    client, stub = served(export)
    stub.first = [(200, {}, body)]
    with pytest.raises(ValueError, match=message):
        client.ask(ask(export))


def test_an_answer_without_a_probability_of_each_token_is_refused(export, served, ask):
    client, stub = served(export)
    request = ask(export)
    body = '{"choices": [{"message": {"content": "a"}, "token_ids": [1, 2], "logprobs": {"content": [{"logprob": -1}]}}], "usage": {"prompt_tokens": %d}}'
    stub.first = [(200, {}, (body % request.count).encode())]
    with pytest.raises(ValueError, match="2 tokens with 1 probabilities"):
        client.ask(request)


@pytest.mark.parametrize("url", ["localhost:8000", "file:///etc/passwd", "ftp://a", "http://"])
def test_an_address_that_is_none_is_refused(url):
    with pytest.raises(ValueError, match="expected an address such as http://localhost:8000"):
        Server(url)


def test_no_proxy_stands_between(export, served, ask, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    client, _ = served(export)
    assert client.ask(ask(export)).ids


def test_requests_are_made_side_by_side_read_no_further_ahead_and_answered_in_order(monkeypatch):
    """As many as may be under way are, and the answer that comes first waits for its turn."""
    client = Client(Server("http://localhost:1"), "bridge", 3)
    read, under_way, most = [], [], []
    together = threading.Barrier(3, timeout=10)

    def answer(self, request):
        under_way.append(request)
        most.append(len(under_way))
        together.wait()
        under_way.remove(request)
        return request

    monkeypatch.setattr(Client, "ask", answer)

    def asks():
        for number in range(6):
            read.append(number)
            yield number

    replies = client.answers(asks())
    assert next(replies) == 0
    assert len(read) == 3
    assert list(replies) == [1, 2, 3, 4, 5]
    assert max(most) == 3


def test_an_error_stops_the_requests_that_wait(monkeypatch):
    seen = []

    def answer(self, request):
        seen.append(request)
        raise ValueError("server: gone")

    monkeypatch.setattr(Client, "ask", answer)
    with pytest.raises(ValueError, match="server: gone"):
        list(Client(Server("http://localhost:1"), "bridge", 2).answers(iter(range(100))))
    assert len(seen) <= 3


def test_a_connection_that_breaks_is_said(monkeypatch):
    def broken(*_, **__):
        raise http.client.IncompleteRead(b"")

    server = Server("http://localhost:1")
    monkeypatch.setattr(server._opener, "open", broken)
    with pytest.raises(ValueError, match=r"no answer \(IncompleteRead"):
        server.send("/version")
