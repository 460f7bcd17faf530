"""The web page and its JSON service."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bridge.bundle import load
from bridge.commands.line import run_function
from bridge.commands.sample import known_cohort
from bridge.data.cohort import Cohort
from bridge.model import SemanticBridge
from bridge.serve.limits import Limits
from bridge.serve.listen import Server, bound
from bridge.serve.model_engine import ModelEngine


def serve(arguments: Sequence[str]) -> None:
    """``bridge serve``."""
    run_function(serve_bundle, "serve", arguments)


def serve_bundle(
    bundle: str,
    cohort: str | None = None,
    host: str = "127.0.0.1",
    port: int = 8420,
    public: bool = False,
    allow_host: list[str] | None = None,
    waiting: int = 8,
    deadline: int = 600,
    max_upload_mb: int = 512,
    max_new_tokens: int = 160,
    llm: str | None = None,
    trust: list[str] | None = None,
) -> None:
    """Open a page on which reports are written and questions are asked, and the same as a JSON service.

    Args:
        bundle: Bundle folder.
        cohort: Cohort whose test samples are the examples; by default the one that the bundle was trained on, where it is at hand.
        host: Address to listen on; only this machine reaches the default.
        port: Port; 0 takes any that is free.
        public: Allow an address that other machines reach. The token is still needed, but goes over the network unencrypted.
        allow_host: Names, beside those of this machine, under which the page may be opened.
        waiting: Jobs that may wait; further ones are told to try again.
        deadline: Seconds that a report or an answer may take, waiting included.
        max_upload_mb: Largest file in MiB.
        max_new_tokens: Longest report and longest answer in tokens.
        llm: Where the base LLM is, when it is not where the bundle says.
        trust: Modules outside the packages whose classes may load.
    """
    with bound(host, port, public=public) as address:  # first: what is wrong with it is known at once
        bridge = load(bundle, llm=llm, trust=tuple(trust or ()))
        engine = ModelEngine(bridge, bundle, _examples(bridge, bundle, cohort), max_new_tokens)
        limits = Limits(waiting=waiting, deadline_s=deadline, file_bytes=max_upload_mb << 20, session_bytes=max_upload_mb << 21)
        server = Server(engine, address, limits, tuple(allow_host or ()))
        print(f"open {server.link}\nWhoever has this address can use the page. Stop with Ctrl-C.", flush=True)
        server.run()


def _examples(bridge: SemanticBridge, bundle: str, cohort: str | None) -> Cohort | None:
    """The cohort that is named, or the one of training where it is still there."""
    if cohort is None and (bridge.trained_on is None or not Path(bridge.trained_on.path).is_file()):
        return None
    return known_cohort(bridge, bundle, cohort)
