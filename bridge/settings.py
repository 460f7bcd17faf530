"""Process settings that must be in place before the numerical libraries load, and what those libraries need not say."""

from __future__ import annotations

import logging
import math
import os
import warnings
from pathlib import Path
from typing import Any

import yaml

# Waiting threads that spin take the core from the one that works: a step can take many times longer on shared cores.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("JSONARGPARSE_DEPRECATION_WARNINGS", "off")  # Lightning's, not the user's

#: Messages of libraries about matters that are settled here, by how they begin.
SETTLED = (
    "LightningCLI's args parameter",
    "Starting from v1.9.0, `tensorboardX`",
    r"`isinstance\(treespec, LeafSpec\)` is deprecated",
    "You have overridden `on_before_batch_transfer`",
    "Found .* module.* in eval mode",
    "The number of training batches",
    "Total length of `",  # nothing to validate on
    "Checkpoint directory .* exists and is not empty",
    "The '.*_dataloader' does not have many workers",
    "Experiment logs directory",
    "Be aware that when using `ckpt_path`",
    "`is_gradient_checkpointing` is deprecated",
    "`gradient_checkpointing_enable` is deprecated",
)


#: Environment variable with the folder of the benchmarks' data, and where that is without it.
DATA, DEFAULT_DATA = "BRIDGE_DATA", "../shared/data"


def data_root() -> Path:
    """Folder that holds the data of the benchmarks and of the small corpus."""
    return Path(os.environ.get(DATA, DEFAULT_DATA))


def quiet_libraries() -> None:
    """Keep the commands' output to what a user acts on."""
    for begins in SETTLED:
        warnings.filterwarnings("ignore", message=begins)
    for name in ("lightning.pytorch", "lightning.fabric", "transformers"):
        logging.getLogger(name).setLevel(logging.ERROR)
    for name in ("lightning.pytorch.utilities.rank_zero", "lightning.fabric.utilities.rank_zero", "lightning_utilities.core.rank_zero"):
        logging.getLogger(name).addFilter(_is_no_tip)
    import transformers

    transformers.logging.disable_progress_bar()


def _is_no_tip(record: logging.LogRecord) -> bool:
    """Whether a line of a library says anything of the run, and does not recommend another product."""
    return "Tip: " not in record.getMessage()


#: What plain YAML is made of; beside it there are sets, bytes, and objects of a language.
PLAIN_TAGS = {f"tag:yaml.org,2002:{name}" for name in ("null", "bool", "int", "float", "str", "timestamp", "seq", "map", "merge", "value")}

#: More values than any configuration has; anchors can stand for billions in a few lines.
MOST_VALUES = 100_000


class _PlainLoader(yaml.SafeLoader):
    """YAML without objects, and without a key that is given twice, of which the last would win in silence."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        """As the safe loader does it, after a look at the keys."""
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        twice = next((key for place, key in enumerate(keys) if key in keys[:place] and key != "<<"), None)
        if twice is not None:
            raise yaml.constructor.ConstructorError(None, None, f"field {twice!r} is given twice", node.start_mark)
        return super().construct_mapping(node, deep)


def read_yaml(path: str | Path) -> Any:
    """What a YAML file says, in plain types.

    Raises:
        ValueError: names the file, and the line of what is wrong in it.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
        if _size(yaml.compose(text, yaml.SafeLoader), {}) > MOST_VALUES:
            raise yaml.YAMLError(f"its anchors stand for more than {MOST_VALUES:,} values")
        return yaml.load(text, _PlainLoader)
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"{path}: cannot be read: {' '.join(str(error).split())[:300]}; expected YAML with plain values") from error


def _size(node: yaml.Node | None, known: dict[int, float | int]) -> float | int:
    """Values below a node once every anchor is written out; without end for one that stands inside itself."""
    if node is not None and node.tag not in PLAIN_TAGS:
        raise yaml.constructor.ConstructorError(None, None, f"found the tag {node.tag!r}", node.start_mark)
    if id(node) not in known:
        known[id(node)] = math.inf
        below = [each for pair in node.value for each in (pair if isinstance(pair, tuple) else (pair,))] if isinstance(node, yaml.CollectionNode) else []
        known[id(node)] = 1 + sum(_size(each, known) for each in below)
    return known[id(node)]


def config_file(name: str, otherwise: str | None = None) -> Path | str:
    """A configuration by its path, else a shipped one by its name (``align.yaml``, ``configs/llm/smollm2.yaml``).

    Args:
        name: Path or name.
        otherwise: What to give when there is none.

    Raises:
        ValueError: there is none, and nothing to give instead.
    """
    here = Path(__file__).parent
    places = (Path(name), here / "configs" / name.removeprefix("configs/"), here.parent / "configs" / name.removeprefix("configs/"))
    found = next((path for path in places if path.is_file()), otherwise)
    if found is None:
        raise ValueError(f"configuration {name!r}: no such file, and none of that name is shipped")
    return found
