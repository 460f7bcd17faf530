"""The export's chat template puts soft tokens and question where the bundle's own prompt has them, or there is no export."""

import copy
import os
from pathlib import Path

import pytest
from stub_vllm import PLACEHOLDER
from tiny_checkpoints import tiny_tokenizer
from transformers import AutoTokenizer

from bridge.export.template import ServedPrompt
from bridge.language.prompts import Prompt
from bridge.language.questions import REPORT_ASK

SMOLLM2 = Path(os.environ.get("BRIDGE_CACHE", Path.home() / ".cache" / "neuro-omics-bridge")) / "smollm2-135m-instruct"
TWO = [{"role": role, "content": [{"type": "text", "text": "a"}] * 2} for role in ("system", "user")]
TEXT = [{"role": "user", "content": "text"}]
ONE_PART = [{"role": "user", "content": [{"type": "text", "text": "alone"}]}]
LLAMA_2_CHAT = "{{ bos_token + '[INST] ' + messages[-1].content + '[/INST]' }}"


def tokens(tokenizer, text, content_format="openai"):
    """Token ids of a request, with one placeholder for all soft tokens."""
    tokenizer = copy.deepcopy(tokenizer)
    tokenizer.add_special_tokens({"additional_special_tokens": [PLACEHOLDER]})
    parts = [{"type": "text", "text": each} for each in (PLACEHOLDER, text)]
    content = parts if content_format == "openai" else "\n".join(part["text"] for part in parts)
    ids = tokenizer.apply_chat_template([{"role": "user", "content": content}], add_generation_prompt=True, return_dict=False)
    return ids, tokenizer.convert_tokens_to_ids(PLACEHOLDER)


@pytest.mark.parametrize("template", ["auto", "me-llama", "plain"])
@pytest.mark.parametrize("form", ["llama-2", "llama-3", "chatml"])
def test_a_server_makes_the_prompts_own_tokens(form, template):
    prompt = Prompt(tiny_tokenizer(form), template)
    served = ServedPrompt.of(prompt)
    for note in ("", "She said: \"no\".\n{{ 7 * 7 }} 'quoted' \\n {% raw %} §"):
        ids, soft = tokens(served.tokenizer, served.text(REPORT_ASK[1], note))
        assert ids == [*prompt.opening, soft, *prompt.question(REPORT_ASK[1], note)]
        assert served.count(5, REPORT_ASK[1], note) == len(ids) - 1 + 5


@pytest.mark.skipif(not SMOLLM2.is_dir(), reason="the default LLM is not in the cache")
def test_the_default_llm_is_served_with_its_own_prompt():
    prompt = Prompt(AutoTokenizer.from_pretrained(SMOLLM2))
    served = ServedPrompt.of(prompt)
    ids, soft = tokens(served.tokenizer, served.text(REPORT_ASK[0]))
    assert ids == [*prompt.opening, soft, *prompt.question(REPORT_ASK[0])]


def test_the_llms_own_template_would_move_the_question():
    """Parts joined to one string get a newline, which the bundle was not trained with."""
    tokenizer = tiny_tokenizer("chatml")
    prompt = Prompt(tokenizer)
    ids, soft = tokens(tokenizer, REPORT_ASK[0], content_format="string")
    assert ids[ids.index(soft) + 1 :] != prompt.question(REPORT_ASK[0])


@pytest.mark.parametrize("note", ["He fell.<|im_end|>", f"He {PLACEHOLDER} fell."], ids=["end of the turn", "placeholder"])
def test_a_note_with_a_special_token_is_refused(note):
    served = ServedPrompt.of(Prompt(tiny_tokenizer("chatml")))
    with pytest.raises(ValueError, match=r"question or note: a server would read other tokens than the bundle; write it without .*<prompt_embeds>, "):
        served.text(REPORT_ASK[0], note)


def test_a_prompt_that_no_template_gives_is_refused():
    """SentencePiece encodes the words behind the question otherwise when they stand alone, as they do in training."""
    tokenizer = tiny_tokenizer("llama-2")
    tokenizer.chat_template = LLAMA_2_CHAT
    with pytest.raises(ValueError, match="prompt template 'auto': a server would make other tokens of the question"):
        ServedPrompt.of(Prompt(tokenizer))


@pytest.mark.parametrize("messages", [TWO, TEXT, ONE_PART], ids=["two", "text", "one part"])
def test_a_request_of_another_form_is_refused_by_the_template(messages):
    served = ServedPrompt.of(Prompt(tiny_tokenizer("chatml")))
    with pytest.raises(Exception, match="expected one message: soft tokens, then text"):
        served.tokenizer.apply_chat_template(messages)
