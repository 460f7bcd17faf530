"""Before any report: is the input fit to be read, and does it look like what the bridge was trained on?"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from bridge.data.cohort import Cohort
from bridge.data.unfit import fit_samples
from bridge.model import SemanticBridge
from bridge.report.verify import Reference
from encoders.base import Tokens

NORM_FACTOR = 3.0  # how far outside the training range an input's norm may lie


def training_reference(bridge: SemanticBridge, cohort: Cohort) -> dict:
    """What a bundle keeps of the training split: statistics of regions and facts, the range of input norms, and notices."""
    norms, cohort = {}, fit_samples(cohort)
    for modality in bridge.projectors:
        values = torch.from_numpy(cohort.values(modality)[cohort.rows("train")])
        values = values[torch.isfinite(values).any(dim=1)]
        each = root_mean_square(bridge.encoders[modality](values.to(bridge.llm.device)))
        norms[modality] = [float(each.min()), float(each.max())]
    return {"training": Reference.of(cohort).to_dict(), "norms": norms, "notices": [*_notices(cohort), *filter(None, [bridge.language.notice])]}


def _notices(cohort: Cohort) -> list[str]:
    """What must stand under every report: what the data are, and whom to acknowledge."""
    notes = cohort.about["notes"]
    return [*([notes["stand_ins"]] if "stand_ins" in notes else []), *notes.get("acknowledgements", [])]


def require_usable(bridge: SemanticBridge, values: dict[str, Tensor]) -> None:
    """Refuse what would give a fluent report of nothing: a blind bundle, a prefix that is not finite or zero, an input far outside training.

    Raises:
        ValueError: names the modality, the measure found and the range expected.
    """
    if bridge.blind:
        raise ValueError("bundle, field blind: found true, expected false; a blind twin reads no input and serves evaluation only")
    with torch.inference_mode():
        encoded, prefix = bridge.encode(values), bridge.prefix(values)
    for modality, tokens in encoded.items():
        if torch.isinf(values[modality]).any() or not torch.isfinite(tokens.values).all():
            raise ValueError(f"input {modality!r}: found infinite values, expected finite ones; check units and missing-value codes")
        if not tokens.mask.any():
            raise ValueError(f"input {modality!r}: found no value (all missing), expected at least one; leave the input out instead")
        low, high = bridge.reference["norms"][modality]
        norm = float(root_mean_square(tokens))
        if not low / NORM_FACTOR <= norm <= high * NORM_FACTOR:
            raise ValueError(
                f"input {modality!r}: root mean square {norm:.3g} after normalisation, expected {low / NORM_FACTOR:.3g} to {high * NORM_FACTOR:.3g} "
                "as in training; check that the file was made by the same encoder in the same units"
            )
    present = prefix.values[prefix.mask]
    if not torch.isfinite(present).all() or float(present.abs().max()) == 0:
        raise ValueError("prefix: found zero, NaN or infinite soft tokens, expected finite ones; the bundle or the input is damaged")


def root_mean_square(tokens: Tokens) -> Float[Tensor, " samples"]:
    """Of each sample, over the tokens that are present."""
    square = tokens.values.float().pow(2).mean(dim=2) * tokens.mask
    return (square.sum(dim=1) / tokens.mask.sum(dim=1).clamp(min=1)).sqrt()
