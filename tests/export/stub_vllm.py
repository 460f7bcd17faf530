"""A server on the loopback that speaks the part of vLLM's API which an export uses, as strictly as vLLM documents it.

Sources: docs.vllm.ai/en/latest/features/prompt_embeds (the part, its tensor, the flag), vllm/renderers/embed_utils.py (what is refused),
vllm/renderers/hf.py and vllm/entrypoints/chat_utils.py (placeholder, content formats). The LLM is the exported one, run by transformers.
"""

from __future__ import annotations

import base64
import contextlib
import io
import json
import shlex
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

PLACEHOLDER = "<prompt_embeds>"
FIELDS = {"model", "messages", "temperature", "max_tokens", "logprobs", "return_token_ids"}


class Refused(Exception):
    """An error of the API: status and message."""


class StubServer:
    """An export as vLLM would serve it with the options of its launch script.

    Args:
        folder: The export.
        without: Options of the launch script that are left out.
        version: What ``/version`` tells.
        key: API key that is asked for.
    """

    def __init__(self, folder, without=(), version="0.33.0", key=""):
        self.version, self.key = version, key
        self.options = _options(folder / "launch.sh", without)
        self.model = AutoModelForCausalLM.from_pretrained(folder).eval()
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        self.tokenizer.chat_template = (folder / self.options["--chat-template"]).read_text(encoding="utf-8")
        self.tokenizer.add_special_tokens({"additional_special_tokens": [PLACEHOLDER]})
        self.soft = self.tokenizer.convert_tokens_to_ids(PLACEHOLDER)
        self.first: list[tuple[int, dict, bytes]] = []  # answers given before any other: status, headers, body
        self.requests: list[dict] = []
        self.most = self.busy = 0  # requests under way at once
        self.lock = threading.Lock()

    @contextlib.contextmanager
    def running(self):
        """Its address, while it runs in a thread."""
        stub = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                _send(self, *stub.answer(self.path, None, self.headers))

            def do_POST(self):
                _send(self, *stub.answer(self.path, self.rfile.read(int(self.headers["Content-Length"])), self.headers))

            def log_message(self, *_):
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
            server.server_close()

    def answer(self, path, body, headers):
        """Status, headers and body."""
        with self.lock:
            self.busy += 1
            self.most = max(self.most, self.busy)
            early = self.first.pop(0) if self.first and body is not None else None
        try:
            if early:
                return early
            return 200, {}, json.dumps(self._routed(path, body, headers)).encode()
        except Refused as error:
            status, message = error.args
            return status, {}, json.dumps({"error": {"message": message, "type": "BadRequestError", "param": None, "code": status}}).encode()
        finally:
            with self.lock:
                self.busy -= 1

    def _routed(self, path, body, headers):
        if (path, body) == ("/version", None):
            return {"version": self.version}
        if path != "/v1/chat/completions" or body is None:
            raise Refused(404, "Not Found")
        if self.key and headers.get("Authorization") != f"Bearer {self.key}":
            raise Refused(401, "Unauthorized")
        request = json.loads(body)
        self.requests.append(request)
        return self._completed(request)

    def _completed(self, request):
        if set(request) != FIELDS or request["temperature"] != 0:
            raise Refused(400, f"fields {sorted(request)}")
        if request["model"] != self.options["--served-model-name"]:
            raise Refused(404, f"The model `{request['model']}` does not exist.")
        ids, soft = self._prompt(request["messages"])
        written, logprobs = self._generated(ids, soft, request["max_tokens"])
        message = {"role": "assistant", "content": self.tokenizer.decode(written, skip_special_tokens=True)}
        content = [{"token": self.tokenizer.decode([token]), "logprob": value, "top_logprobs": []} for token, value in zip(written, logprobs, strict=True)]
        choice = {"index": 0, "message": message, "logprobs": {"content": content}, "token_ids": written, "finish_reason": "stop"}
        usage = {"prompt_tokens": len(ids), "completion_tokens": len(written), "total_tokens": len(ids) + len(written)}
        return {"object": "chat.completion", "model": request["model"], "choices": [choice], "usage": usage}

    def _prompt(self, messages):
        """Token ids with as many placeholders as there are soft tokens, and these."""
        tensors = []
        conversation = []
        for message in messages:
            texts = [self._part(part, tensors) for part in message["content"]]
            openai = self.options.get("--chat-template-content-format") == "openai"
            content = [{"type": "text", "text": text} for text in texts] if openai else "\n".join(texts)
            conversation.append({"role": message["role"], "content": content})
        try:
            ids = self.tokenizer.apply_chat_template(conversation, add_generation_prompt=True, return_dict=False)
        except Exception as error:
            raise Refused(400, str(error)) from error
        waiting = list(tensors)
        ids = [each for token in ids for each in ([token] * len(waiting.pop(0)) if token == self.soft else [token])]
        return ids, torch.cat(tensors)

    def _part(self, part, tensors):
        if part["type"] == "text":
            if PLACEHOLDER in part["text"]:
                raise Refused(400, f"Text content may not contain the reserved placeholder {PLACEHOLDER!r}.")
            return part["text"]
        if part["type"] != "prompt_embeds" or set(part) != {"type", "data"}:
            raise Refused(400, f"Unsupported chat content part type: {part['type']!r}.")
        if "--enable-prompt-embeds" not in self.options:
            raise Refused(400, "You must set `--enable-prompt-embeds` to input `prompt_embeds`.")
        tensors.append(self._tensor(base64.b64decode(part["data"], validate=True)))
        return PLACEHOLDER

    def _tensor(self, data):
        tensor = torch.load(io.BytesIO(data), weights_only=True, map_location="cpu")
        width = self.model.config.hidden_size
        if tensor.layout != torch.strided or tensor.ndim != 2 or tensor.shape[1] != width or not tensor.is_floating_point():
            raise Refused(400, f"`prompt_embeds` must be a 2D tensor of shape (num_tokens, {width}); got {tensor.dtype} {tuple(tensor.shape)}.")
        return tensor.to(self.model.dtype)

    def _generated(self, ids, soft, max_tokens):
        """Greedy answer and the log probability of each of its tokens."""
        places = torch.tensor([token == self.soft for token in ids])
        with torch.inference_mode():
            embeds = self.model.get_input_embeddings()(torch.tensor(ids).masked_fill(places, 0))
            embeds[places] = soft
            mask = torch.ones(1, len(ids), dtype=torch.long)
            settings = {"max_new_tokens": max_tokens, "do_sample": False, "output_logits": True, "return_dict_in_generate": True}
            out = self.model.generate(inputs_embeds=embeds[None], attention_mask=mask, **settings)
        written = out.sequences[0].tolist()
        return written, [float(logits[0].log_softmax(-1)[token]) for logits, token in zip(out.logits, written, strict=True)]


def _options(script, without):
    """Options of ``vllm serve`` in a launch script, with their values."""
    (command,) = [line for line in script.read_text().replace("\\\n", " ").splitlines() if "vllm serve" in line]
    words = shlex.split(command)[4:]
    options = {word: words[place + 1] if not words[place + 1].startswith("--") else "" for place, word in enumerate(words[:-1]) if word.startswith("--")}
    return {name: value for name, value in options.items() if name not in without}


def _send(handler, status, headers, body):
    handler.send_response(status)
    for name, value in {"Content-Length": str(len(body)), **headers}.items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(body)
