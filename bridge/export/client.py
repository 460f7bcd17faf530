"""Asks a vLLM server: the question as text, of a sample only its soft tokens.

The chat completions API with a ``prompt_embeds`` part (docs.vllm.ai/en/latest/features/prompt_embeds): documented from vLLM 0.22 on; before,
only the completions API took embeddings, of the whole prompt. The opening and the question stay text, so the server's prefix caching finds
the opening again.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

from torch import Tensor

from bridge.export.embeds import request_part
from bridge.language.server import Server

NEEDED = (0, 22)  # the first version that documents the part


@dataclasses.dataclass(frozen=True)
class Ask:
    """One request.

    Args:
        soft: Soft tokens ``[k, width]``.
        text: Text part: the question, and a note.
        count: Tokens of the whole prompt; a server that makes another number of them has another template.
        max_new_tokens: Longest answer.
    """

    soft: Tensor
    text: str
    count: int
    max_new_tokens: int = 160


@dataclasses.dataclass(frozen=True)
class Reply:
    """What a server wrote.

    Args:
        text: The text.
        ids: Its tokens, the end token among them.
        probabilities: The model's own, of each of these.
    """

    text: str
    ids: list[int]
    probabilities: list[float]


@dataclasses.dataclass(frozen=True)
class Client:
    """Asks for greedy answers.

    Args:
        server: A vLLM server.
        model: Name under which the export is served.
        in_flight: Requests under way at once.
    """

    server: Server
    model: str
    in_flight: int = 32

    def version(self) -> str:
        """Version of vLLM.

        Raises:
            ValueError: nobody answers, or the version takes no ``prompt_embeds`` part.
        """
        found = str(self.server.send("/version").get("version", "unknown"))
        numbers = re.match(r"(\d+)\.(\d+)", found)
        if numbers and tuple(map(int, numbers.groups())) < NEEDED:
            raise ValueError(f"server {self.server.url}: found vLLM {found}, expected {'.'.join(map(str, NEEDED))} or newer, which takes prompt_embeds parts")
        return found

    def ask(self, ask: Ask) -> Reply:
        """The greedy answer to one request.

        Raises:
            ValueError: in one line, whatever went wrong.
        """
        content = [request_part(ask.soft), {"type": "text", "text": ask.text}]
        settings = {"temperature": 0, "max_tokens": ask.max_new_tokens, "logprobs": True, "return_token_ids": True}
        answer = self.server.send("/v1/chat/completions", {"model": self.model, "messages": [{"role": "user", "content": content}]} | settings)
        try:
            (choice,), prompt_tokens = answer["choices"], answer["usage"]["prompt_tokens"]
            probabilities = [math.exp(token["logprob"]) for token in choice["logprobs"]["content"]]
            reply = Reply(choice["message"]["content"] or "", list(choice["token_ids"]), probabilities)
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(
                f"server {self.server.url}: its answer has no text, token ids, probabilities or count of tokens ({error!r}); is it vLLM?"
            ) from error
        self._require_whole(ask, reply, prompt_tokens)
        return reply

    def answers(self, asks: Iterable[Ask]) -> Iterator[Reply]:
        """Answers in the order of the requests; no more than ``in_flight`` are read ahead and under way."""
        with ThreadPoolExecutor(self.in_flight) as pool:
            under_way: deque = deque()
            try:
                for ask in asks:
                    under_way.append(pool.submit(self.ask, ask))
                    if len(under_way) == self.in_flight:
                        yield under_way.popleft().result()
                while under_way:
                    yield under_way.popleft().result()
            finally:
                for future in under_way:
                    future.cancel()

    def _require_whole(self, ask: Ask, reply: Reply, prompt_tokens: int) -> None:
        if prompt_tokens != ask.count:
            raise ValueError(
                f"server {self.server.url}: made {prompt_tokens} tokens of the prompt, expected {ask.count}; start it with the export's launch.sh, "
                "which sets the chat template and its content format"
            )
        if not reply.ids or len(reply.ids) != len(reply.probabilities):
            raise ValueError(f"server {self.server.url}: {len(reply.ids)} tokens with {len(reply.probabilities)} probabilities, expected as many and above 0")
