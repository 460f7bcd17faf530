"""The bundle's prompt as a chat template of the server: soft tokens and question fall into the very places they have here.

vLLM puts one placeholder token where a ``prompt_embeds`` part stands, renders the chat template, tokenises the whole, and then puts the
soft tokens in (vLLM pull request 40720 and ``vllm/renderers/hf.py``). Two things of an LLM's own template would move a token: parts that
are joined to one string get a newline between them (content format ``string``, which vLLM takes for most templates), and the words in
front of the question may be another system turn. So an export has a template of its own, for content format ``openai``.
"""

from __future__ import annotations

import copy
import dataclasses
import functools
import json

from transformers import PreTrainedTokenizerBase

from bridge.language.prompts import Prompt, quoted
from bridge.language.questions import REPORT_ASK

#: What vLLM registers as a special token and puts where soft tokens will be (``vllm/entrypoints/chat_utils.py``).
PLACEHOLDER = "<prompt_embeds>"
CONTENT_FORMAT = "openai"
LEADS = ("", " ")  # SentencePiece puts a space before a text that stands alone, and none before one that follows a special token
MISFIT = "{% if messages | length != 1 or messages[0].content | length != 2 %}{{ raise_exception('expected one message: soft tokens, then text') }}{% endif %}"


@dataclasses.dataclass(frozen=True)
class ServedPrompt:
    """A prompt as a server makes it of a request.

    Args:
        prompt: The bundle's.
        tokenizer: The export's: the LLM's, with the export's template.
    """

    prompt: Prompt
    tokenizer: PreTrainedTokenizerBase

    @classmethod
    def of(cls, prompt: Prompt) -> ServedPrompt:
        """With the template under which a server makes the prompt's own tokens.

        Raises:
            ValueError: no template gives these tokens.
        """
        notes = ("", "Seizures since birth.\nWalks alone.")
        for lead in LEADS:
            tokenizer = copy.deepcopy(prompt.tokenizer)
            tokenizer.chat_template = chat_template(prompt, lead)
            served = cls(prompt, tokenizer)
            if all(served.same(ask, note) for ask in REPORT_ASK for note in notes):
                return served
        raise ValueError(
            f"LLM {prompt.tokenizer.name_or_path!r}, prompt template {prompt.template!r}: a server would make other tokens of the question than the bundle "
            "was trained with, expected the same; choose another template and train again"
        )

    def text(self, question: str, note: str = "") -> str:
        """The text part of a request.

        Raises:
            ValueError: a server would read a special token in it, with which a note could end its own turn.
        """
        if not self.same(question, note):
            specials = ", ".join(dict.fromkeys((PLACEHOLDER, *self.prompt.tokenizer.all_special_tokens)))
            raise ValueError(f"question or note: a server would read other tokens than the bundle; write it without the LLM's own marks ({specials})")
        return f"{question}{quoted(note)}"

    def count(self, soft: int, question: str, note: str = "") -> int:
        """Tokens of the whole prompt."""
        return len(self.prompt.opening) + soft + len(self.prompt.question(question, note))

    def same(self, question: str, note: str) -> bool:
        """Whether a server makes the very tokens that the bundle makes."""
        ids, soft = self._rendered(f"{question}{quoted(note)}")
        return ids == [*self.prompt.opening, soft, *self.prompt.question(question, note)]

    def _rendered(self, text: str) -> tuple[list[int], int]:
        """Token ids as vLLM makes them, and the one that stands for the soft tokens."""
        content = [{"type": "text", "text": each} for each in (PLACEHOLDER, text)]
        ids = self._renderer.apply_chat_template([{"role": "user", "content": content}], add_generation_prompt=True, return_dict=False)
        return ids, self._renderer.convert_tokens_to_ids(PLACEHOLDER)

    @functools.cached_property
    def _renderer(self) -> PreTrainedTokenizerBase:
        renderer = copy.deepcopy(self.tokenizer)
        renderer.add_special_tokens({"additional_special_tokens": [PLACEHOLDER]})
        return renderer


def chat_template(prompt: Prompt, lead: str = "") -> str:
    """Jinja template of one message: opening, soft tokens, question.

    Args:
        prompt: The bundle's.
        lead: What stands between the soft tokens and the words after them.
    """
    opening, before, after, closing = (json.dumps(text, ensure_ascii=False) for text in prompt.frame)
    soft, text = "messages[0].content[0].text", "messages[0].content[1].text"
    return f"{MISFIT}{{{{ {opening} + {soft} + {json.dumps(lead)} + {before} + {text} + {after} + {closing} }}}}"
