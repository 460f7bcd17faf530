"""The semantic bridge: encoders -> projectors -> prefix -> LLM. Read this file first."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from bridge.data.batch import Turn
from bridge.data.cohort import Cohort
from bridge.data.cohort_file import CohortFile
from bridge.language.latent import LatentText
from bridge.language.llm import LanguageModel, base_model
from bridge.language.packing import Row, embedded, pack
from bridge.language.prompts import SYSTEM, WORDS_ALONE, Prompt
from bridge.project.base import Projector
from bridge.project.prefix import Prefix, nothing
from bridge.project.space import JOINT, SharedSpace
from encoders.base import Card, Encoder, Tokens
from encoders.region_map import Atlas

ProjectorFactory = Callable[[int, int, int], Projector]  # (encoder dim, encoder tokens, LLM width) -> projector


class SemanticBridge(nn.Module):
    """Measurements of any subset of modalities as soft tokens among an LLM's text.

    Args:
        language: The LLM and its tokenizer; with an adapter after stage 2.
        encoders: Modality to encoder.
        projectors: Modality to projector; in the order in which their tokens stand in front of the question.
        cards: Modality to the card its values were made under.
    """

    def __init__(self, language: LanguageModel, encoders: dict[str, Encoder], projectors: dict[str, Projector], cards: dict[str, Card]):
        super().__init__()
        self.language, self.llm = language, language.model
        self.encoders, self.projectors = nn.ModuleDict(encoders), nn.ModuleDict(projectors)
        self.cards = cards
        self.space: SharedSpace | None = None  # stage 1 gives it
        self.text: dict = {}  # layers and pooling of the text side of the shared space
        self.latent: LatentText | None = None  # and its word counts, where it has them
        self.blind = False  # told which inputs there are, never what they hold: the twin that shows what the prefix is worth
        self.template = "auto"
        self.gallery = None  # what lies near a sample in the shared space, see bridge.retrieve.gallery.Gallery
        self.reference: dict = {}  # what the training split looks like, see bridge.report.verify.Reference
        self.atlases: dict[str, Atlas] = {}  # modality to the label image that its regions are drawn on
        self.trained_on: CohortFile | None = None  # where its cohort lies
        self.tags = nn.ParameterDict({modality: nn.Parameter(torch.zeros(1, language.width)) for modality in projectors})

    @classmethod
    def compose(cls, language: LanguageModel, cohort: Cohort, projectors: dict[str, ProjectorFactory], trust: tuple[str, ...] = ()) -> SemanticBridge:
        """A new bridge for a cohort: widths come from its encoders and the LLM, scales and identities from the LLM's embeddings."""
        unknown = [modality for modality in projectors if modality not in cohort.modalities]
        if unknown:
            raise ValueError(f"config, field projectors: modality {unknown[0]!r} is not in {cohort.source}; found {cohort.modalities}")
        encoders = {modality: cohort.encoder(modality, trust) for modality in projectors}
        built = {modality: make(encoders[modality].dim, encoders[modality].tokens, language.width) for modality, make in projectors.items()}
        bridge = cls(language, encoders, built, {modality: cohort.card(modality) for modality in projectors})
        bridge._start_at_the_language_model()
        return bridge

    @classmethod
    def text_only(cls, language: LanguageModel, template: str = "auto") -> SemanticBridge:
        """An LLM without any modality: what pretraining and instruction tuning train, and a bare LLM to compare with."""
        bridge = cls(language, {}, {}, {})
        bridge.template = template
        return bridge

    @property
    def prompt(self) -> Prompt:
        """How a question is put to this bridge."""
        return Prompt(self.language.tokenizer, self.template, SYSTEM if self.projectors else WORDS_ALONE)

    def wear(self, language: LanguageModel) -> None:
        """Take the LLM with its adapter."""
        self.language, self.llm = language, language.model

    def encode(self, values: dict[str, Float[Tensor, "batch _"]]) -> dict[str, Tokens]:
        """Encoder tokens per modality; a modality that is not given is left out."""
        return {modality: self.encoders[modality](values[modality]) for modality in self.projectors if modality in values}

    def embed(self, values: dict[str, Float[Tensor, "batch _"]]) -> dict[str, tuple[Float[Tensor, "batch dim"], Bool[Tensor, " batch"]]]:
        """Unit vectors in the shared space and which samples have them: of each modality, and of the sides that several make together."""
        encoded = self.encode(values)
        summaries = {modality: self.projectors[modality].summary(tokens) for modality, tokens in encoded.items()}
        rows = {modality: (tokens.values * tokens.mask.unsqueeze(-1)).flatten(1) for modality, tokens in encoded.items()}
        present = {modality: tokens.mask.any(dim=1) for modality, tokens in encoded.items()}
        sides = {side: side.split(JOINT) for side in (*encoded, *self.space.joint) if set(side.split(JOINT)) <= set(encoded)}
        return {
            side: (
                self.space.embed({part: summaries[part] for part in parts}, {part: rows[part] for part in parts}),
                torch.stack([present[part] for part in parts]).all(dim=0),
            )
            for side, parts in sides.items()
        }

    def prefix(self, values: dict[str, Float[Tensor, "batch _"]]) -> Prefix:
        """Tag and projected tokens of each modality in a row, masked where a sample lacks the modality; of a blind bridge the tags alone."""
        parts, masks = [], []
        for modality, tokens in self.encode(values).items():
            projected = self.projectors[modality](tokens)
            present = tokens.mask.any(dim=1, keepdim=True)
            tag = self.tags[modality].expand(len(present), 1, -1).to(projected.values.dtype)
            parts += [tag] if self.blind else [tag, projected.values]
            masks += [present] if self.blind else [present, projected.mask & present]
        if not parts:
            raise ValueError(f"prefix: none of the modalities {list(self.projectors)} was given; give at least one, NaN where it is missing")
        return Prefix(torch.cat(parts, dim=1), torch.cat(masks, dim=1))

    def soft_tokens(self, values: dict[str, Float[Tensor, "batch _"]], samples: int) -> Prefix:
        """The prefix of so many samples; none at all where no modality is given, which asks in words alone."""
        return self.prefix(values) if values else nothing(samples, self.llm.get_input_embeddings().weight)

    def forward(
        self, values: dict[str, Float[Tensor, "batch _"]], opening: Sequence[int], turns: Sequence[Sequence[Turn]]
    ) -> tuple[Float[Tensor, "answers vocabulary"], Int[Tensor, " answers"]]:
        """Logits and targets at the answers' tokens only, sample by sample and turn by turn; the language head is not run elsewhere.

        Args:
            values: Modality to values, NaN where a sample lacks the modality; none for words alone.
            opening: Tokens in front of the soft tokens.
            turns: Questions of each sample with their answers; those of one sample share its prefix.
        """
        states, targets = self.states(values, opening, turns)
        return base_model(self.llm).lm_head(states), targets

    def states(
        self, values: dict[str, Float[Tensor, "batch _"]], opening: Sequence[int], turns: Sequence[Sequence[Turn]]
    ) -> tuple[Float[Tensor, "answers width"], Int[Tensor, " answers"]]:
        """What :meth:`forward` gives before the language head, for whoever runs it on parts of a long row."""
        prefix = self.soft_tokens(values, len(turns))
        row = pack(opening, prefix.mask.sum(dim=1).tolist(), turns)  # all samples in one row: what a sample lacks takes no place
        return self.read(row, prefix)

    def read(self, row: Row, prefix: Prefix) -> tuple[Float[Tensor, "answers width"], Int[Tensor, " answers"]]:
        """Last states at the places of a row that predict an answer's tokens, and these tokens."""
        embeds = embedded(row, self.llm.get_input_embeddings(), prefix.values[prefix.mask])
        states = base_model(self.llm).model(inputs_embeds=embeds, use_cache=False, **row.segments.inputs(embeds.device)).last_hidden_state
        return states[0, row.predicts], torch.tensor(row.targets, dtype=torch.long, device=embeds.device)

    def finite_trained(self) -> bool:
        """Whether every weight that a bundle would hold is finite, the adapters' among them."""
        adapters = (parameter for name, parameter in self.llm.named_parameters() if "lora_" in name)
        return all(bool(torch.isfinite(tensor).all()) for tensor in (*self.trained_state().values(), *adapters))

    def trained_state(self) -> dict[str, Tensor]:
        """Everything a bundle must hold beside the adapter: projectors, tags and whatever an encoder learned; never the LLM."""
        return {name: tensor for name, tensor in self.state_dict().items() if not name.startswith("llm.")}

    def _start_at_the_language_model(self) -> None:
        embeddings = self.language.embeddings
        for modality, projector in self.projectors.items():
            names = self.encoders[modality].names
            projector.match(embeddings, self.language.name_embeddings(names) if names else None)
            with torch.no_grad():
                self.tags[modality].copy_(self.language.name_embeddings([modality])[0].mean(dim=0))
