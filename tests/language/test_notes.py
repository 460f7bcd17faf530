"""Long notes are read in chunks of which nothing is lost, whatever file they come in and whatever file their vectors go to."""

import itertools
import json

import anndata
import numpy as np
import pandas as pd
import pytest
import torch

from bridge.data.cohort import Cohort
from bridge.language.llm import Lora, add_lora, load_llm
from bridge.language.note_files import note_cohort, read_notes, texts_of, write_embeddings
from bridge.language.notes import chunks_of, embed_notes, note_bank
from bridge.language.textbank import TextBank
from encoders.gene_table import GeneTable

SHORT = ["Highest in the left cuneus.", "Seizures and a small head; autosomal recessive.", "Report."]
LONG = "Walks with help, speaks two words, and had seizures at nine months; the left insula is small. " * 4
SIZE, OVERLAP = 32, 8


@pytest.fixture
def make_bank(tmp_path):
    def make(llm, pooling="mean", size=SIZE, folder="vectors"):
        bank = note_bank(load_llm(llm), (1, 2), pooling, size)
        bank.folder = tmp_path / folder
        return bank

    return make


def by_hand(bank, text):
    """Chunks counted off one by one, each run alone through transformers, and each one's token count."""
    tokenizer, model = bank.language.tokenizer, bank.language.model
    whole, body = tokenizer(text)["input_ids"], tokenizer(text, add_special_tokens=False)["input_ids"]
    front = whole[: len(whole) - len(body)]
    room, start, means, sizes = SIZE - len(front), 0, [], []
    while True:
        chunk = [*front, *body[start : start + room]]
        with torch.inference_mode():
            states = model(input_ids=torch.tensor([chunk]), output_hidden_states=True).hidden_states
        kept = {}
        hook = model.model.layers[1].register_forward_hook(lambda module, inputs, output, kept=kept: kept.update(state=output))
        with torch.inference_mode():
            model(input_ids=torch.tensor([chunk]))
        hook.remove()
        last = kept["state"] if isinstance(kept["state"], torch.Tensor) else kept["state"][0]
        means.append(torch.cat([states[1][0].mean(dim=0), last[0].mean(dim=0)]).numpy())
        sizes.append(len(chunk))
        if start + room >= len(body):
            return np.stack(means), np.array(sizes)
        start += room - OVERLAP


@pytest.mark.parametrize("form", ["llama-2", "llama-3"])  # with and without a token in front of every chunk
def test_the_mean_of_a_long_note_is_that_of_its_chunks_weighted_by_tokens(form, make_bank, tiny_llm):
    bank = make_bank(tiny_llm(form))
    found = embed_notes(bank, [LONG, SHORT[2]], OVERLAP)
    means, sizes = by_hand(bank, LONG)
    assert found.chunks.tolist() == [len(sizes), 1]
    assert len(sizes) > 4
    assert sizes[-1] != SIZE  # or weights would not matter
    np.testing.assert_allclose(found.vectors[0], (means * sizes[:, None]).sum(axis=0) / sizes.sum(), rtol=1e-4, atol=1e-5)
    assert np.abs(found.vectors[0] - means.mean(axis=0)).max() > 1e-4


@pytest.mark.parametrize("pooling", ["mean", "last"])
def test_a_note_that_fits_has_the_vector_of_the_text_bank_to_the_bit(pooling, make_bank, tiny_llm, tmp_path):
    bank = make_bank(tiny_llm(), pooling, size=512)
    plain = TextBank(load_llm(tiny_llm()), (1, 2), pooling, folder=tmp_path / "plain")
    np.testing.assert_array_equal(embed_notes(bank, SHORT).vectors, plain.embed(SHORT))


@pytest.mark.parametrize(
    ("length", "overlap", "starts"), [(10, 0, [0]), (11, 0, [0, 10]), (11, 4, [0, 6]), (16, 4, [0, 6]), (17, 4, [0, 6, 12]), (40, 9, range(31))]
)
def test_chunks_overlap_as_asked_and_lose_no_token(length, overlap, starts):
    body = np.arange(100, 100 + length, dtype=np.int32)
    note = np.concatenate([[1], body, [2, 3]]).astype(np.int32)
    chunks = chunks_of(note, 1, 2, 13, overlap)
    assert [int(chunk[1]) - 100 for chunk in chunks] == list(starts)
    assert all(chunk[0] == 1 and chunk[-2:].tolist() == [2, 3] and len(chunk) <= 13 for chunk in chunks)
    assert set(np.concatenate([chunk[1:-2] for chunk in chunks])) == set(body)
    for before, after in itertools.pairwise(chunks):
        np.testing.assert_array_equal(before[1:-2][len(before) - 3 - overlap :], after[1:-2][:overlap])


def test_an_overlap_that_leaves_no_room_is_refused():
    for overlap in (10, -1):
        with pytest.raises(ValueError, match=f"field overlap: found {overlap}, expected 0 to 9"):
            chunks_of(np.arange(40, dtype=np.int32), 1, 2, 13, overlap)


@pytest.mark.parametrize("pooling", ["mean", "last"])
@pytest.mark.filterwarnings("ignore:notes. 2 of 2 are longer than a chunk")
def test_the_last_word_of_a_long_note_changes_its_vector(pooling, make_bank, tiny_llm):
    bank = make_bank(tiny_llm(), pooling)
    vectors = embed_notes(bank, [f"{LONG}insula", f"{LONG}cuneus"], OVERLAP).vectors
    assert np.abs(vectors[0] - vectors[1]).max() > 1e-4


def test_with_the_last_token_alone_a_warning_says_how_many_notes_lose_their_beginning(make_bank, tiny_llm):
    bank = make_bank(tiny_llm(), "last")
    with pytest.warns(UserWarning, match="notes: 1 of 2 are longer than a chunk"):
        found = embed_notes(bank, [LONG, SHORT[0]], OVERLAP)
    tokens = bank.language.tokenizer(LONG)["input_ids"]
    chunk = chunks_of(np.array(tokens, np.int32), 0, 0, SIZE, OVERLAP)[-1]
    assert tokens[: len(chunk)] != chunk.tolist()
    np.testing.assert_allclose(found.vectors[0], bank.embed_tokens([chunk])[0], rtol=0, atol=1e-5)
    assert bank.encoded == 2


def test_packed_chunks_have_the_vectors_of_each_note_alone(make_bank, tiny_llm):
    notes = [*SHORT, LONG, LONG[7:]]
    together = embed_notes(make_bank(tiny_llm()), notes, OVERLAP).vectors
    alone = np.concatenate([embed_notes(make_bank(tiny_llm(), folder=f"alone-{row}"), [note], OVERLAP).vectors for row, note in enumerate(notes)])
    np.testing.assert_allclose(together, alone, rtol=0, atol=1e-4)


def test_chunks_are_encoded_once_and_found_again(make_bank, tiny_llm):
    bank = make_bank(tiny_llm())
    first = embed_notes(bank, [LONG, LONG, "", SHORT[0]], OVERLAP)
    count = bank.encoded
    assert count == len({*map(tuple, map(np.ndarray.tolist, chunks_of(np.array(bank.language.tokenizer(LONG)["input_ids"]), 0, 0, SIZE, OVERLAP)))}) + 1
    assert first.chunks[2] == 0
    assert np.isnan(first.vectors[2]).all()
    again = make_bank(tiny_llm())
    np.testing.assert_array_equal(embed_notes(again, [LONG, LONG, "", SHORT[0]], OVERLAP).vectors, first.vectors)
    assert again.encoded == 0
    assert embed_notes(again, ["", ""]).vectors.shape == (2, bank.width)


def test_the_tuned_adapter_is_worn_and_its_key_is_its_own(tiny_llm):
    language = load_llm(tiny_llm())
    bare = note_bank(language, (2,))
    assert bare.adapter == ""
    language = add_lora(language, Lora(r=2), "text")
    assert note_bank(language, (2,)).adapter == "text"
    language = add_lora(language, Lora(r=2), "default")
    with torch.no_grad():
        for name, weight in language.model.named_parameters():
            if "lora_B.default" in name:
                weight.normal_()
    tuned = note_bank(language, (2,))
    assert tuned.adapter == "default"
    assert tuned.key != bare.key
    assert np.abs(embed_notes(tuned, SHORT).vectors - embed_notes(bare, SHORT).vectors).max() > 1e-2


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "notes.csv"
    pd.DataFrame({"id": ["007", "008", "009", "010"], "note": [LONG, SHORT[0], "  ", SHORT[1]], "ward": ["a", "b", "a", "b"]}).to_csv(path, index=False)
    return path


def test_parquet_and_h5ad_hold_the_same_and_a_card_that_says_all(make_bank, tiny_llm, table, tmp_path):
    samples = read_notes(table, ["note"])
    for name in ("notes.h5ad", "notes.parquet"):
        said = write_embeddings(tmp_path / name, samples, ["note"], make_bank(tiny_llm()), OVERLAP)
        assert "4 notes (1 empty, 1 in several chunks), width 64" in said
    cohort, frame = Cohort.read(tmp_path / "notes.h5ad"), pd.read_parquet(tmp_path / "notes.parquet")
    assert cohort.ids == list(frame.index) == ["007", "008", "009", "010"]
    np.testing.assert_array_equal(cohort.raw("text"), frame.to_numpy())
    assert cohort.table.obs["ward"].tolist() == ["a", "b", "a", "b"]
    encoder = GeneTable.for_source(tmp_path / "notes.parquet", modality="text")
    np.testing.assert_array_equal(encoder.read(tmp_path / "notes.parquet").values, frame.to_numpy())
    card, bank = json.loads((tmp_path / "notes.card.json").read_text())["text"], make_bank(tiny_llm())
    assert card["weights"] == bank.weights
    assert card["chunking"] == {"tokens": SIZE, "overlap": OVERLAP, "notes_in_several_chunks": 1}
    assert (card["layers"], card["pooling"], card["width"], card["template"]) == ([1, 2], "mean", 64, "{text}")
    assert (card["source"], card["column"], card["notes"]) == ("notes.csv", "note", 3)
    assert card["card"] == cohort.card("text").to_dict() | {"normalisation": None}
    assert json.loads(anndata.read_h5ad(tmp_path / "notes.h5ad").uns["bridge"])["notes"]["embeddings"]["text"] == card


def test_cards_of_notes_that_were_chunked_otherwise_disagree(make_bank, tiny_llm, table):
    samples = read_notes(table, ["note"])
    cards = []
    for size in (SIZE, SIZE + 1):
        bank = make_bank(tiny_llm(), size=size, folder=f"size-{size}")
        write_embeddings(table.with_suffix(".h5ad"), samples, ["note"], bank, OVERLAP)
        cards.append(Cohort.read(table.with_suffix(".h5ad")).card("text"))
    with pytest.raises(ValueError, match=r"field 'pooling': expected \"mean; chunks of 32 tokens, overlap 8\""):
        cards[0].require_same(cards[1])


def test_several_columns_are_modalities_of_their_own_and_a_given_split_is_kept(make_bank, tiny_llm, tmp_path):
    frame = pd.DataFrame({"id": list("abc"), "history": SHORT, "plan": SHORT[::-1], "part": ["train", "train", "test"]})
    frame.to_csv(tmp_path / "two.tsv", index=False, sep="\t")
    columns = ["history", "plan"]
    write_embeddings(tmp_path / "two.h5ad", read_notes(tmp_path / "two.tsv", columns), columns, make_bank(tiny_llm()), OVERLAP, split="part", group="id")
    cohort = Cohort.read(tmp_path / "two.h5ad")
    assert (cohort.modalities, cohort.texts) == (["text_history", "text_plan"], columns)
    assert cohort.table.obs["split"].tolist() == ["train", "train", "test"]
    np.testing.assert_array_equal(cohort.raw("text_history"), cohort.raw("text_plan")[::-1])


def test_one_note_is_enough_for_a_cohort(make_bank, tiny_llm, tmp_path):
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "only.txt").write_text(SHORT[0])
    write_embeddings(tmp_path / "one.h5ad", read_notes(tmp_path / "notes", ["text"]), ["text"], make_bank(tiny_llm()), OVERLAP)
    assert Cohort.read(tmp_path / "one.h5ad").ids == ["only"]


def test_a_folder_and_json_lines_give_the_notes_of_a_table(tmp_path):
    (tmp_path / "notes" / "ward").mkdir(parents=True)
    lines = []
    for name, text in zip(("a", "ward/b", "ward/c"), ("Größe: 1,2 m.\n", "", SHORT[1]), strict=True):
        (tmp_path / "notes" / f"{name}.txt").write_text(text, encoding="utf-8")
        lines.append(json.dumps({"id": name, "text": text or None, "codes": ["G40"], "age": 3}))
    (tmp_path / "notes.jsonl").write_text("\n".join([*lines[:2], "", lines[2]]), encoding="utf-8")
    folder, listed = read_notes(tmp_path / "notes", ["text"]), read_notes(tmp_path / "notes.jsonl", ["text"])
    assert folder.ids == listed.ids == ["a", "ward/b", "ward/c"]
    assert texts_of(folder, "text") == texts_of(listed, "text") == ["Größe: 1,2 m.\n", "", SHORT[1]]
    assert listed.columns["codes"].tolist() == ['["G40"]'] * 3


WRONG = {
    '{"id": "a", "text": "x"}\n{"id": "a", "text": "y"}': "id 'a' is found twice",
    '{"id": "a", "text": "x"}\nnote': "line 2: not JSON",
    '{"id": "a", "text": "x"}\n["b"]': "line 2: found",
    '{"id": "a", "text": "x"}\n{"text": "y"}': "line 2: no value of 'id'",
    '{"id": "a", "note": "x"}': "no column 'text' for the notes",
    "\n": "found no line",
}


@pytest.mark.parametrize("content", WRONG)
def test_faults_of_json_lines_are_named_with_their_line(content, tmp_path):
    (tmp_path / "notes.jsonl").write_text(content)
    with pytest.raises(ValueError, match=WRONG[content]):
        read_notes(tmp_path / "notes.jsonl", ["text"])


def test_a_folder_without_notes_and_a_note_in_another_encoding_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"found no \.txt file"):
        read_notes(tmp_path, ["text"])
    (tmp_path / "old.txt").write_bytes("Größe".encode("latin-1"))
    with pytest.raises(ValueError, match=r"old\.txt: found .* expected a note as text in UTF-8"):
        read_notes(tmp_path, ["text"])


def test_participants_of_a_table_stay_in_one_split(tmp_path, make_bank, tiny_llm):
    pd.DataFrame({"id": range(12), "patient": [row // 2 for row in range(12)], "text": SHORT * 4}).to_csv(tmp_path / "p.csv", index=False)
    samples = read_notes(tmp_path / "p.csv", ["text"])
    with pytest.warns(UserWarning, match="samples that share 'patient' stay in one split"):
        cohort = note_cohort(samples, [])
    assert cohort.table.obs.groupby("group")["split"].nunique().max() == 1
