"""Stage 1: every modality next to its text, and modalities next to each other where the config asks."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from bridge.data.batch import Batch
from bridge.data.cohort import Cohort
from bridge.data.cohort_file import CohortFile
from bridge.evaluate.retrieval import retrieval_scores
from bridge.language.llm import LLM, add_lora, load_llm
from bridge.language.textbank import TextBank
from bridge.model import ProjectorFactory, SemanticBridge
from bridge.project.space import JOINT, SharedSpace
from bridge.report.gate import training_reference
from bridge.retrieve.gallery import Gallery
from bridge.train.cards import differ_over_all_cards, over_all_cards
from bridge.train.correlation import choose_share, fit_linear_part, linear_blocks
from bridge.train.losses import Temperature, info_nce, require_pairs, sigmoid_loss
from bridge.train.optimise import cosine_schedule, require_trained
from bridge.train.pairs import checked_pairs, text_labels
from bridge.train.searchable import Kept, gallery_of
from bridge.train.stage import Stage
from bridge.train.targets import Targets
from bridge.train.text_side import TextSide


class Align(Stage):
    """Contrastive alignment.

    Args:
        cohort: Given by the data module.
        projectors: Modality to projector; widths are given by the code.
        pairs: ``a~b`` to the weight of its loss; a and b are modalities or text columns, at least one a modality.
            ``a+b~c`` takes two modalities together as one side.
        llm: The LLM.
        text: The text side.
        dim: Width of the shared space.
        dropout: On what enters the shared space.
        linear: Canonical variates of each pair with a text that stand beside the trained part of the space; 0 for none.
        loss: ``info_nce`` or ``sigmoid``.
        targets: ``pairs``, or ``same_text``: samples whose texts are the very same belong together, whatever their group.
        learning_rate: Peak, reached after a tenth of the steps, then cosine.
        weight_decay: Of AdamW.
        gallery: What the bundle keeps for a sample to be compared with. ``auto``: vectors of the training samples and what they list, with ids
            and the beginnings of their texts only where the samples are genes; ``named``: with these always; ``none``: nothing.
        bad_step_limit: Steps with a loss or gradient that is not finite that are skipped before the run stops.
        trust: Modules outside the packages whose encoder classes may load.
    """

    def __init__(
        self,
        cohort: Cohort,
        projectors: dict[str, ProjectorFactory],
        pairs: dict[str, float],
        *,
        llm: LLM | None = None,
        text: TextSide | None = None,
        dim: int = 256,
        dropout: float = 0.1,
        linear: int = 0,
        loss: str = "info_nce",
        targets: str = "pairs",
        learning_rate: float = 1e-3,
        weight_decay: float = 0.05,
        gallery: Kept = "auto",
        bad_step_limit: int = 10,
        trust: Sequence[str] = (),
    ):
        super().__init__(bad_step_limit)
        if loss not in ("info_nce", "sigmoid"):
            raise ValueError(f"align, field loss: found {loss!r}, expected 'info_nce' or 'sigmoid'")
        if targets not in ("pairs", "same_text"):
            raise ValueError(f"align, field targets: found {targets!r}, expected 'pairs' or 'same_text'")
        self.pairs = checked_pairs(pairs, list(projectors), cohort.texts)  # before anything large is loaded
        self.cohort, self.side, self.loss = cohort, text or TextSide(), loss
        self.labels = text_labels(self.pairs, cohort) if targets == "same_text" else {}
        self.learning_rate, self.weight_decay, self.searchable = learning_rate, weight_decay, gallery
        language = load_llm(llm or LLM())
        language.model.requires_grad_(False)
        if self.side.lora:
            language = add_lora(language, self.side.lora, name="text")
            language.model.train()
        self.bridge = SemanticBridge.compose(language, cohort, projectors, tuple(trust))
        self.bridge.latent = self.side.latent(cohort, self.pairs)
        self.bank = TextBank(language, self.side.layers, self.side.pooling, latent=self.bridge.latent, keep=self.side.lora is None)
        joint = sorted({side for pair in self.pairs for side in pair if JOINT in side and side not in cohort.texts})
        together = {"joint": joint, "linear": linear_blocks(self.bridge, self.pairs, cohort.texts, linear)}
        self.bridge.space = SharedSpace(list(projectors), language.width, self.bank.width, dim, self.side.hidden, dropout, **together)
        self.bridge.text = {"layers": list(self.side.layers), "pooling": self.side.pooling}
        self.temperatures = torch.nn.ModuleDict({"~".join(pair): Temperature() for pair in self.pairs})
        self.texts: dict[str, Tensor] = {}

    def training_step(self, batch: Batch, index: int) -> Tensor:
        """Encode, project, compare, log, return."""
        embeddings = self.embed(batch)
        losses = {pair: self.compare(pair, embeddings, batch) for pair in self.comparable(embeddings, batch)}
        if not losses:
            require_pairs(over_all_cards(torch.tensor([len(batch)], device=self.device))[0])
            self.gate.require(False, "no two samples of different groups to compare (raise the batch size)")
            return sum(vectors.sum() for vectors, _ in embeddings.values()) * 0.0  # the step is thrown away
        for pair, loss in losses.items():
            name = "~".join(pair)
            self.log_dict({f"loss/{name}": loss, f"scale/{name}": self.temperatures[name].scale}, batch_size=len(batch))
        total = sum(self.pairs[pair] * loss for pair, loss in losses.items())
        self.log("loss", total, prog_bar=True, batch_size=len(batch))
        return total

    def embed(self, batch: Batch) -> dict[str, tuple[Float[Tensor, "batch dim"], Bool[Tensor, " batch"]]]:
        """Unit vectors of every modality and text of a batch, and which samples have it."""
        embedded = self.bridge.embed(batch.values)
        for column in self.texts:
            vectors = self._text_vectors(column, batch)
            present = torch.isfinite(vectors).all(dim=1)
            embedded[column] = (self.bridge.space.embed_text(torch.where(present.unsqueeze(1), vectors, 0.0), column), present)
        return embedded

    def both(self, pair: tuple[str, str], embeddings: dict) -> Bool[Tensor, " batch"]:
        """Which samples have both sides of a pair."""
        return embeddings[pair[0]][1] & embeddings[pair[1]][1]

    def comparable(self, embeddings: dict, batch: Batch) -> list[tuple[str, str]]:
        """The pairs of sides that samples of two groups, and of two labels where there are some, have in this batch, on all cards together."""
        about = []
        for pair in self.pairs:
            both = self.both(pair, embeddings)
            about += [batch.groups[both], batch.groups[both] if pair not in self.labels else self._labels(pair, both, batch)]
        found = differ_over_all_cards(about)
        return [pair for place, pair in enumerate(self.pairs) if all(found[2 * place : 2 * place + 2])]

    def compare(self, pair: tuple[str, str], embeddings: dict, batch: Batch) -> Tensor:
        """Loss of one pair over the samples of all cards that have both sides."""
        both, temperature = self.both(pair, embeddings), self.temperatures["~".join(pair)]
        left, right = (self.bridge.space.trained_part(embeddings[name][0][both]) for name in pair)
        targets = Targets(self._labels(pair, both, batch)) if pair in self.labels else None
        if self.loss == "sigmoid":
            return sigmoid_loss(left, right, temperature.scale, temperature.bias.reshape(()), batch.groups[both], targets)
        return info_nce(left, right, temperature.scale, batch.groups[both], targets)

    def on_validation_epoch_start(self) -> None:
        self.validation = []

    def validation_step(self, batch: Batch, index: int) -> None:
        self.validation.append({name: (vectors.cpu(), present.cpu()) for name, (vectors, present) in self.embed(batch).items()})

    def on_validation_epoch_end(self) -> None:
        """Retrieval over the whole validation split, both directions."""
        found = {}
        for left, right in self.pairs:
            vectors = [torch.cat([part[name][0] for part in self.validation]) for name in (left, right)]
            both = torch.cat([part[left][1] & part[right][1] for part in self.validation])
            similarity = (vectors[0][both] @ vectors[1][both].T).double().numpy()
            for direction, matrix in ((f"{left}->{right}", similarity), (f"{right}->{left}", similarity.T)):
                scores = retrieval_scores(matrix, resamples=0)
                found |= {f"validation/{direction}/{key}": scores[key] for key in ("r1", "r5", "r10", "median_rank", "mrr") if scores[key] is not None}
        r10 = [value for name, value in found.items() if name.endswith("/r10")]  # none where there are fewer than ten candidates
        self.log_dict(found, sync_dist=True)
        self.log_dict({"validation/r10": sum(r10) / len(r10)} if r10 else {}, prog_bar=True, sync_dist=True)

    def on_fit_start(self) -> None:
        require_trained(self, self.temperatures, self.bridge.projectors, self.bridge.space, *([self.bridge.llm] if self.side.lora else []))
        self.bridge.reference, self.bridge.trained_on = training_reference(self.bridge, self.cohort), CohortFile.of(self.cohort)
        self.encode_texts()

    def on_train_end(self) -> None:
        """How much the linear part weighs is chosen where neither part was fitted."""
        if self.bridge.space.linear is not None:
            choose_share(self.bridge, self.cohort, self.texts)

    def gallery(self, bridge: SemanticBridge) -> Gallery | None:
        """Of the texts as they were read before training, unless an adapter has learned to read them since."""
        return gallery_of(bridge, self.cohort, list(self.texts), None if self.side.lora else self.texts, self.searchable)

    def encode_texts(self) -> None:
        """Encode all texts once with the LLM as it is now, or take them from the cache; the LLM is in its place by now."""
        for column in sorted({name for pair in self.pairs for name in pair if name in self.cohort.texts}):
            self.trainer.strategy.barrier(column)  # ranks that share an LLM must miss the same texts in the cache
            self.texts[column] = torch.from_numpy(self.bank.embed(self.cohort.text(column)))
        if self.texts and not self.resumed:
            training = torch.cat([vectors[self.cohort.rows("train")] for vectors in self.texts.values()])
            known = training[torch.isfinite(training).all(dim=1)]
            if not len(known):
                raise ValueError(f"{self.cohort.source}: no training sample has a text in {sorted(self.texts)}, expected some to align with; check the columns")
            self.bridge.space.fit_text(known)
            if self.bridge.space.linear is not None:
                fit_linear_part(self.bridge, self.cohort, self.texts)

    def configure_optimizers(self) -> dict:
        parameters = [parameter for parameter in self.parameters() if parameter.requires_grad]
        optimiser = torch.optim.AdamW(parameters, lr=self.learning_rate, weight_decay=self.weight_decay)
        return cosine_schedule(optimiser, self.trainer.estimated_stepping_batches, warmup=0.1)

    def _labels(self, pair: tuple[str, str], both: Bool[Tensor, " batch"], batch: Batch) -> Int[Tensor, " both"]:
        """Labels of the samples that have both sides of a pair."""
        return self.labels[pair][batch.rows.cpu()].to(both.device)[both]

    def _text_vectors(self, column: str, batch: Batch) -> Tensor:
        """Vectors of a batch's texts, from the adapter as it is now where there is one; NaN where a sample has no text."""
        stored = self.texts[column][batch.rows.cpu()].to(self.device)
        if not self.side.lora:
            return stored
        texts = self.cohort.text(column)
        return torch.where(torch.isfinite(stored), self.bank.encode([texts[row] or " " for row in batch.rows.tolist()]), torch.nan)
