"""A sixth encoder, outside the packages: EEG band power, one token per frequency band.

Check it with ``bridge check-encoder encoder_outside:BandPower`` from this folder; use it with one line of a config,
``class_path: encoder_outside.BandPower``, and ``--trust encoder_outside``.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from encoders.base import Encoder, Raw, masked_tokens


class BandPower(Encoder):
    """Tokens ``[batch, bands, 1]``: log10 power per band; an empty cell is an absent token.

    Args:
        names: Frequency bands, columns of the table.
        modality: Name of the modality.
        provenance: Further card fields.
    """

    def __init__(self, names=("delta", "theta", "alpha", "beta", "gamma"), modality="eeg", provenance=None):
        super().__init__(modality, dim=1, names=names, provenance={"units": "log10 uV^2"} | (provenance or {}))

    def read(self, source: Path) -> Raw:
        """A ``.csv`` with a column ``id`` and one column per band, in uV^2."""
        power = pd.read_csv(source, dtype={"id": str}).set_index("id")[list(self.names)]
        if (power <= 0).any(axis=None) or power.index.has_duplicates:
            raise ValueError(f"{source}: found power at or below 0 uV^2 or an id twice, expected one row of positive power per recording")
        return Raw(list(power.index), np.log10(power.to_numpy(dtype=float)))

    def forward(self, values):
        """Band power to one token per band."""
        return masked_tokens(values.unsqueeze(-1))

    def init_args(self) -> dict:
        """Arguments that build this encoder again."""
        return {"names": list(self.names), "modality": self.modality, "provenance": self.provenance}

    @classmethod
    def example(cls) -> "BandPower":
        """The usual five bands."""
        return cls()
