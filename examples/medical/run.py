"""A medical LLM out of a general one, command by command: corpus, pretraining, instructions, tuning, scores before and after.

Whole, on the embedded default LLM and real text (hours on two cores, minutes on a GPU):   python examples/medical/run.py
Another LLM, fewer steps:   python examples/medical/run.py --llm checkpoints/me-llama-13b --pretrain-steps 2000 --instruct-steps 2000
Your own clinical notes instead of the public dialogues:   python examples/medical/run.py --notes FOLDER
"""

import argparse
import shlex
from pathlib import Path

import yaml

from bridge.__main__ import main as bridge
from bridge.settings import config_file


def plan(given: argparse.Namespace) -> list[str]:
    """The commands, as typed in a shell."""
    out, llm = given.out, f"--model.llm.path {shlex.quote(given.llm)}" + (f" {given.stage}" if given.stage else "")
    return [
        f"bridge data corpus --sources {given.sources} --benchmarks {out}/instructions/test.jsonl --out {out}/corpus",
        f"bridge pretrain --config configs/pretrain.yaml --data.corpus {out}/corpus {llm} --trainer.max_steps {given.pretrain_steps} --out {out}/pretrained",
        f"bridge instruct --config configs/instruct.yaml --data.instructions {out}/instructions --model.start {out}/pretrained {llm} "
        f"--trainer.max_steps {given.instruct_steps} --out {out}/instructed",
        f"bridge evaluate instructions --data {out}/instructions --bundle {out}/instructed --limit {given.limit} --out {out}/scores",
        f"bridge evaluate medical --bundle {out}/instructed --limit {given.limit} --out {out}/scores",
    ]


def instructions(given: argparse.Namespace) -> str:
    """The instruction set comes first: its test part is kept out of the corpus."""
    return f"bridge data instructions --out {given.out}/instructions --limit-per-family {given.per_family}"


def own_sources(notes: str, path: Path) -> Path:
    """The small corpus with a folder of notes as its clinical part."""
    sources = yaml.safe_load(Path(config_file("corpus/small.yaml")).read_text(encoding="utf-8"))
    sources["clinical"] = [{"format": "text", "path": notes, "identifiers": "redact"}]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(sources), encoding="utf-8")
    return path


def run(commands: list[str]) -> None:
    """Run each command in this process, and stop at the first that fails."""
    for command in commands:
        print(f"\n$ {command}", flush=True)
        status = bridge(shlex.split(command)[1:])
        if status:
            raise SystemExit(status)


def main(arguments: list[str] | None = None) -> None:
    """Run the commands; an instruction set that is there is used again."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", default="runs/medical", help="folder for everything")
    parser.add_argument("--llm", default="smollm2-135m-instruct", help="folder or hub name of the LLM")
    parser.add_argument("--sources", default="configs/corpus/small.yaml", help="sources of the corpus")
    parser.add_argument("--notes", default="", help="folder of your own clinical notes, in place of those of the sources")
    parser.add_argument("--per-family", type=int, default=800, help="instructions of a family to train on")
    parser.add_argument("--pretrain-steps", type=int, default=60)
    parser.add_argument("--instruct-steps", type=int, default=150)
    parser.add_argument("--limit", type=int, default=60, help="test instructions of each family or benchmark")
    parser.add_argument("--stage", default="", help="further settings of both stages, in one string")
    given = parser.parse_args(arguments)
    if given.notes:
        given.sources = own_sources(given.notes, Path(given.out) / "sources.yaml")
    first = [] if (Path(given.out) / "instructions").exists() else [instructions(given)]
    run([*first, *plan(given)])


if __name__ == "__main__":
    main()
