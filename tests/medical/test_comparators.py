"""Other models answer too: behind an endpoint, or as a file of what they said."""

import http.server
import json
import math
import threading

import pytest

from bridge.instructions.item import Instruction
from bridge.language.server import Server
from bridge.medical.ask import likeliest, written
from bridge.medical.asking import asked, lettered
from bridge.medical.comparators import KEY, EndpointAnswerer, RecordedAnswers

TOP = [{"token": "B", "logprob": math.log(0.5)}, {"token": " B", "logprob": math.log(0.2)}, {"token": "The", "logprob": math.log(0.1)}]


class Api(http.server.BaseHTTPRequestHandler):
    """Answers 'Answer: B', with the probabilities of its first token where it is asked for them."""

    def do_POST(self):
        said = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.seen.append((self.path, self.headers.get("Authorization"), said))
        status, content = self.server.first.pop(0) if self.server.first else (200, self.server.reply)
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def api():
    """A server of the chat completions API; ``first`` are what it answers before ``reply``."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Api) as server:
        server.seen, server.first = [], []
        server.reply = {"choices": [{"message": {"content": "Answer: B"}, "logprobs": {"content": [{"top_logprobs": TOP}]}}]}
        server.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def items():
    """Two questions with lettered options."""
    made = []
    for number, right in enumerate("BC"):
        question, letters = lettered(f"Which of {number}?", ["iron", "zinc", "gold"])
        made.append(Instruction(f"q{number}", "question answering", "made-up", question, f"({right})", "choice", letters))
    return made


def test_an_endpoint_is_asked_greedily_with_the_key(api, items, monkeypatch):
    monkeypatch.setenv(KEY, "secret")
    found = written(EndpointAnswerer(f"{api.url}/v1", "model-x"), items)
    assert [one.score for one in found] == [1.0, 0.0]
    path, key, said = api.seen[0]
    assert (path, key) == ("/v1/chat/completions", "Bearer secret")
    assert (said["model"], said["temperature"], said["max_tokens"]) == ("model-x", 0, 8)
    assert {each[2]["messages"][-1]["content"] for each in api.seen} == {item.question for item in items}


def test_likelihoods_of_letters_come_from_the_first_token(api, items):
    answerer = EndpointAnswerer(api.url, "model-x")
    values = answerer.log_likelihoods([items[0].question], [items[0].choices])[0]
    assert values == pytest.approx([math.log(0.1), math.log(0.7), math.log(0.1)])
    assert [one.score for one in likeliest(answerer, items, letters_alone=True)["likelihood"]] == [1.0, 0.0]


def test_a_server_without_probabilities_or_without_the_choice_is_refused(api, items):
    answerer = EndpointAnswerer(api.url, "model-x")
    with pytest.raises(ValueError, match="'entailment' is not among its 3 most probable tokens"):
        answerer.log_likelihoods(["Q"], [["entailment", "B"]])
    api.reply = {"choices": [{"message": {"content": "B"}}]}
    with pytest.raises(ValueError, match=r"gives no log-probabilities.*take --mode generate"):
        answerer.log_likelihoods([items[0].question], [items[0].choices])
    api.reply = {"answer": "B"}
    with pytest.raises(ValueError, match="found an answer without choices"):
        answerer.generate(["Q"], max_new_tokens=4)


def test_a_busy_endpoint_is_asked_again_and_a_silent_one_is_named(api, items):
    pauses = []
    api.first = [(429, {}), (503, {})]
    answerer = EndpointAnswerer(api.url, "model-x", at_once=1, server=Server(api.url, pause=pauses.append))
    assert answerer.generate([items[0].question], max_new_tokens=4) == ["Answer: B"]
    assert pauses == [1.0, 2.0]
    with pytest.raises(ValueError, match=r"no answer \(.*\); see that it runs, and at this address"):
        EndpointAnswerer("http://127.0.0.1:9", "model-x").generate(["Q"], max_new_tokens=4)


def recorded(path, *rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_recorded_answers_are_judged_by_id(items, tmp_path):
    path = recorded(tmp_path / "gpt.jsonl", {"id": "q1", "text": "(C)"}, {"id": "q0", "text": ""}, {"id": "other", "text": "x"})
    answerer = RecordedAnswers(path, items)
    assert answerer.name == "gpt"
    assert [one.score for one in written(answerer, items)] == [0.0, 1.0]
    with pytest.raises(ValueError, match="they have no likelihoods"):
        likeliest(answerer, items)


def test_two_items_with_one_question_keep_their_own_answers(tmp_path):
    question = asked("Sentence: he .\nList.", "items")
    twice = [Instruction(name, "entity recognition", "made-up", question, "none", "items") for name in ("a", "b")]
    answerer = RecordedAnswers(recorded(tmp_path / "said.jsonl", {"id": "b", "text": "none"}, {"id": "a", "text": "he"}), twice)
    assert [one.score for one in written(answerer, twice)] == [0.0, 1.0]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"id": "q0", "text": "A"}], "no answer to 1 of 2 items: q1; add their lines"),
        ([{"id": "q0", "text": "A"}, {"id": "q0", "text": "B"}], "line 2, field text: found an id that was there before"),
        ([{"id": "q0", "text": 1}], "line 1, field text: found int"),
        ([{"text": "A"}], "line 1, field id: found nothing"),
    ],
)
def test_a_file_of_answers_that_does_not_fit_is_refused(items, tmp_path, rows, message):
    with pytest.raises(ValueError, match=message):
        RecordedAnswers(recorded(tmp_path / "said.jsonl", *rows), items)
