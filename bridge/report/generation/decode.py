"""Greedy decoding of many prompts in few slots: prompts are read together in one row, and each is written on as soon as a slot is free."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from transformers import DynamicCache

from bridge.language.attention import Segments
from bridge.language.llm import base_model
from bridge.report.generation.confidence import token_probabilities
from bridge.report.generation.slots import Slots

#: Tokens written so far of each answer, and its scores of the next one, to the next one.
Choice = Callable[[Sequence[Sequence[int]], Float[Tensor, "answers vocabulary"]], list[int]]

#: An answer with its first token, and the keys and values of its prompt as places of a cache.
Begun = tuple["Answer", DynamicCache, list[int]]


@dataclasses.dataclass
class Answer:
    """What is written to one prompt.

    Args:
        number: Of the prompt.
        limit: Tokens at most.
        ids: Tokens so far, the end token among them.
        probabilities: The model's own, of each of them.
    """

    number: int
    limit: int
    ids: list[int] = dataclasses.field(default_factory=list)
    probabilities: list[float] = dataclasses.field(default_factory=list)

    def ended(self, end: int) -> bool:
        """Whether nothing more is to be written."""
        return self.ids[-1] == end or len(self.ids) >= self.limit


@dataclasses.dataclass
class Prompts:
    """Prompts in one row: where there is an opening, it is the first segment and all others follow it.

    Args:
        segments: What belongs together.
        embeds: The row itself.
        answers: Empty, one for each prompt.
    """

    segments: Segments
    embeds: Float[Tensor, "1 tokens width"]
    answers: list[Answer]

    def places(self) -> list[list[int]]:
        """Places of the tokens of each prompt, the opening's among them."""
        spans = [range(start, stop) for start, stop in itertools.pairwise(self.segments.starts)]
        shared = spans[0] if len(spans) > len(self.answers) else range(0)
        return [[*shared, *span] for span in spans[len(spans) - len(self.answers) :]]


def greedy(_: Sequence[Sequence[int]], scores: Float[Tensor, "answers vocabulary"]) -> list[int]:
    """The likeliest token of each answer."""
    return scores.argmax(dim=-1).tolist()


def watched(choose: Choice, each_token: Callable[[], object]) -> Choice:
    """The same choice, with a function called before each: an error of it ends the writing.

    Args:
        choose: Chooses tokens.
        each_token: Called as often as tokens are chosen.
    """

    def chosen(ids: Sequence[Sequence[int]], scores: Float[Tensor, "answers vocabulary"]) -> list[int]:
        each_token()
        return choose(ids, scores)

    return chosen


def decode(llm: nn.Module, rows: Iterable[Prompts], *, slots: int, end: int, choose: Choice = greedy) -> Iterator[Answer]:
    """Answers in the order in which they end.

    Memory: keys and values of so many slots, each as long as the longest prompt with its limit, and those of one row of prompts.

    Args:
        llm: The LLM, with its adapters where it has some.
        rows: Prompts; the next row is read when no prompt of the last one waits any more.
        slots: Answers that are written side by side.
        end: The end token.
        choose: Chooses tokens.
    """
    yield from written_on(llm, _begun(llm, rows, choose), slots=slots, end=end, choose=choose)


def written_on(llm: nn.Module, begun: Iterator[Begun], *, slots: int, end: int, choose: Choice = greedy) -> Iterator[Answer]:
    """Answers that were begun, in the order in which they end.

    Args:
        llm: The LLM.
        begun: Answers with their prompts read; the next one is asked for when a slot is free.
        slots: Answers that are written side by side.
        end: The end token.
        choose: Chooses tokens.
    """
    cache, live = Slots(base_model(llm).config.num_hidden_layers, slots), []
    while True:
        while len(live) < slots and (next_one := next(begun, None)):
            answer, cached, places = next_one
            if answer.ended(end):
                yield answer
            else:
                cache.admit(cached, places, answer.limit - 1)  # the last token is never read
                live.append(answer)
        if not live:
            return
        write_token(live, _scores(llm, cache, live), choose)
        for slot in reversed(range(len(live))):
            if live[slot].ended(end):
                cache.release(slot)
                live[slot], live[-1] = live[-1], live[slot]
                yield live.pop()


def _begun(llm: nn.Module, rows: Iterable[Prompts], choose: Choice) -> Iterator[Begun]:
    """Each prompt with the first token of its answer, and its keys and values as places of a cache."""
    model = base_model(llm)
    for prompts in rows:
        cached, places = DynamicCache(config=model.config), prompts.places()
        states = model.model(inputs_embeds=prompts.embeds, past_key_values=cached, **prompts.segments.inputs(prompts.embeds.device)).last_hidden_state
        write_token(prompts.answers, model.lm_head(states[0, [each[-1] for each in places]]), choose)
        yield from ((answer, cached, each) for answer, each in zip(prompts.answers, places, strict=True))


def _scores(llm: nn.Module, cache: Slots, live: Sequence[Answer]) -> Float[Tensor, "live vocabulary"]:
    """One step of every live slot."""
    model = base_model(llm)
    ids = torch.tensor([[answer.ids[-1]] for answer in live], device=llm.get_input_embeddings().weight.device)
    states = model.model(input_ids=ids, use_cache=True, **cache.step(ids.device)).last_hidden_state
    return model.lm_head(states[:, -1])


def write_token(answers: Sequence[Answer], scores: Float[Tensor, "answers vocabulary"], choose: Choice) -> None:
    """One token more in each answer."""
    tokens = choose([answer.ids for answer in answers], scores)
    for answer, token, probability in zip(answers, tokens, token_probabilities(scores, tokens), strict=True):
        answer.ids.append(token)
        answer.probabilities.append(probability)
