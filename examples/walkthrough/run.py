"""The walk-through of README.md, command by command.

On one 80 GB card, with your own copy of Me-LLaMA 13B:   python run.py --llm checkpoints/me-llama-13b
Anywhere, with the small default LLM:   python run.py --llm smollm2-135m-instruct --stage --trainer.accelerator cpu --trainer.max_steps 20
"""

import argparse
import shlex
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from make_study import write_study

from bridge.__main__ import main as bridge

#: A grid of tokens has no regions to name; a resampler attends over it.
RESAMPLER = "{class_path: bridge.project.resampler.PerceiverResampler, init_args: {k: 8}}"
TOKENS = "{brain: {class_path: encoders.brain_tokens.BrainTokens, source: study/tokens.npz, init_args: {provenance: {encoder: made up}}}}"


def plan(llm: str, *, tokens: bool = False, notes: bool = True, stage: str = "") -> list[str]:
    """The commands, as typed in a shell.

    Args:
        llm: Folder or hub name of the LLM.
        tokens: Brain embeddings are a grid of tokens instead of a value per region.
        notes: Participants have notes.
        stage: Further settings of both stages.
    """
    brain = f"--modalities {shlex.quote(TOKENS)}" if tokens else "--brain study/thickness.csv"
    projector = f" --model.projectors.brain {shlex.quote(RESAMPLER)}" if tokens else ""
    pairs = "{brain~notes: 1.0, gene~notes: 1.0, gene~brain: 0.1}" if notes else "{gene~brain: 1.0}"
    common = f"--data.cohort study/cohort.h5ad --model.llm.path {shlex.quote(llm)}{' ' + stage if stage else ''}"
    source = "study/tokens.npz" if tokens else "study/thickness.csv"
    note = " --note study/note.txt" if notes else ""
    return [
        f"bridge data build --out study/cohort.h5ad --gene study/genes.h5ad#obsm:X_geneformer {brain} "
        f"--table study/participants.csv --facts.diagnoses gene --group family{' --texts notes' if notes else ''}",
        f"bridge align --config configs/align_me-llama-13b.yaml {common} --model.pairs {shlex.quote(pairs)}{projector} --out study/aligned",
        f"bridge tune --config configs/tune_me-llama-13b.yaml {common} --model.start study/aligned --out study/bundle",
        f"bridge report study/bundle --gene study/genes.h5ad --brain {source} --sample sub-017{note} --out study/sub-017.md",
    ]


def run(commands: list[str]) -> None:
    """Run each command in this process, and stop at the first that fails."""
    for command in commands:
        print(f"\n$ {command}", flush=True)
        status = bridge(shlex.split(command)[1:])
        if status:
            raise SystemExit(status)


def main(arguments: list[str] | None = None) -> None:
    """Make the study where there is none, and run the commands in the current folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--llm", default="checkpoints/me-llama-13b", help="folder or hub name of the LLM")
    parser.add_argument("--tokens", action="store_true", help="brain embeddings are token grids instead of a value per region")
    parser.add_argument("--without-notes", action="store_true", help="there are no notes")
    parser.add_argument("--stage", nargs=argparse.REMAINDER, default=[], help="the rest of the line: further settings of both stages")
    given = parser.parse_args(arguments)
    if not Path("study").exists():
        write_study(Path("study"))
    run(plan(given.llm, tokens=given.tokens, notes=not given.without_notes, stage=shlex.join(given.stage)))


if __name__ == "__main__":
    main()
