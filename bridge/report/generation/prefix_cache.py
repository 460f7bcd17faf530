"""What stands before every question on one sample, read by the LLM once: the opening of the prompt and the sample's soft tokens."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from transformers import DynamicCache

from bridge.data.batch import Turn
from bridge.language.llm import base_model
from bridge.language.merged import merged
from bridge.language.packing import Row, embedded
from bridge.model import SemanticBridge
from bridge.report.generation.decode import Answer, Begun, Choice, greedy, write_token, written_on


class PrefixCache:
    """Keys and values of the opening and of one sample's soft tokens; every question goes on from them.

    Args:
        bridge: A loaded bundle.
        values: Modality to normalised values ``[1, features]``.
    """

    def __init__(self, bridge: SemanticBridge, values: dict[str, Float[Tensor, "1 _"]]):
        self.bridge, self.model = bridge, base_model(bridge.llm)
        self.cached = DynamicCache(config=self.model.config)
        with merged(bridge.llm), torch.inference_mode():
            prefix, row = bridge.soft_tokens(values, 1), Row()
            row.put(bridge.prompt.opening, int(prefix.mask.sum()), [Turn([], [])])
            embeds = embedded(row, bridge.llm.get_input_embeddings(), prefix.values[prefix.mask])
            self.model.model(inputs_embeds=embeds, past_key_values=self.cached, **row.segments.inputs(embeds.device))
        self.length = embeds.shape[1]

    def answers(self, asked: Sequence[Sequence[int]], *, max_new_tokens: int, side_by_side: int = 8, choose: Choice = greedy) -> list[Answer]:
        """Answers to questions, in their order.

        Args:
            asked: Token ids of each question, from the end of the soft tokens to where its answer begins.
            max_new_tokens: Longest answer.
            side_by_side: Answers that are written at once.
            choose: Chooses tokens.
        """
        answers = [Answer(number, max_new_tokens) for number in range(len(asked))]
        end = self.bridge.language.tokenizer.eos_token_id
        with merged(self.bridge.llm), torch.inference_mode():
            for _ in written_on(self.bridge.llm, self._begun(asked, answers, choose), slots=side_by_side, end=end, choose=choose):
                pass  # each writes to its own answer
        return answers

    def _begun(self, asked: Sequence[Sequence[int]], answers: Sequence[Answer], choose: Choice) -> Iterator[Begun]:
        """Each question read behind what is cached, in the place of the one before it, whose keys and values have a slot of their own by now."""
        device = self.bridge.llm.get_input_embeddings().weight.device
        for question, answer in zip(asked, answers, strict=True):
            if more := self.cached.get_seq_length() - self.length:
                self.cached.crop(-more)
            own = {"attention_mask": _seen(self.length, len(question)).to(device), "past_key_values": self.cached}
            places = torch.arange(self.length, self.length + len(question), device=device)[None]
            states = self.model.model(input_ids=torch.tensor([[*question]], device=device), position_ids=places, **own).last_hidden_state
            write_token([answer], self.model.lm_head(states[:, -1]), choose)
            yield answer, self.cached, [*range(self.length + len(question))]


def _seen(before: int, own: int) -> Bool[Tensor, "1 1 own seen"]:
    """What each token of a question sees: all before it and itself."""
    return torch.ones(own, before + own, dtype=torch.bool).tril(before)[None, None]
