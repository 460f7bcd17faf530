"""How an export is served, and on whose terms."""

from __future__ import annotations

from bridge.export.client import NEEDED
from bridge.export.template import CONTENT_FORMAT
from bridge.model import SemanticBridge

SERVED = "bridge"
VERSION = ".".join(map(str, NEEDED))


def launch_script(model: str, dtype: str) -> str:
    """The command line of the server, with every option that this export needs; more may be added behind it.

    The server listens on this machine alone: vLLM's documentation warns that embeddings are for trusted users only
    (docs.vllm.ai/en/latest/features/prompt_embeds). Sampling defaults are vLLM's, not those of the LLM's authors: requests are greedy.

    Args:
        model: Name under which it is served; clients ask for it by this name, so soft tokens never reach another bundle's LLM.
        dtype: Of the weights.
    """
    options = [
        f"--served-model-name {model}",
        "--runner generate",
        "--enable-prompt-embeds",
        f"--chat-template chat_template.jinja --chat-template-content-format {CONTENT_FORMAT}",
        "--generation-config vllm",
        f"--dtype {dtype}",
        "--host 127.0.0.1 --port 8000",
        '"$@"',
    ]
    lines = " \\\n    ".join(["exec vllm serve .", *options])
    return f'#!/bin/sh\n# In an environment of its own: pip install "vllm>={VERSION}"\ncd "$(dirname "$0")" || exit 1\n{lines}\n'


def readme(bridge: SemanticBridge, model: str) -> str:
    """What the folder is, how it is served and who may have it."""
    notices = "\n".join(f"- {notice}" for notice in bridge.reference.get("notices", ())) or "- none were recorded with the bundle"
    return (
        f"# {model}: an LLM for a vLLM server of your own\n\n"
        f"**This folder holds weights of {bridge.language.name}**, with a bundle's adapter merged into them. The licence of that LLM holds for them: "
        "some, Me-LLaMA's among them, forbid passing weights on. Keep the folder on your own server.\n\n"
        "Research use only: not a medical device, not for clinical decisions.\n\n"
        f"In an environment of its own (vLLM {VERSION} or newer):\n\n```sh\nsha256sum --check SHA256SUMS\n./launch.sh\n```\n\n"
        "More options go behind it: `./launch.sh --tensor-parallel-size 4`. The server listens on this machine alone. Where others can reach it, "
        "start it with `--api-key` and give clients the key in `VLLM_API_KEY`: vLLM may crash on embeddings of another form, so they are for "
        "trusted users.\n\n"
        "Then, in the bridge's environment: `bridge reports THIS_FOLDER --cohort COHORT --out REPORTS`.\n\n"
        f"## Terms\n{notices}\n"
    )
