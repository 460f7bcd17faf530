"""A corpus folder: counted, cleaned, the same bytes again, all or nothing."""

import gzip
import hashlib
import json

import pytest

from bridge.corpora import build
from bridge.corpora.build import build_corpus, read_card, read_config, read_domain
from bridge.corpora.formats import FORMATS
from bridge.corpora.gates import Cleaning

TERMS = {"alpha": "seizures", "beta": "ataxia", "gamma": "dystonia", "delta": "chorea"}
ITEM = "which of these four drugs is best avoided in a child with myoclonic seizures that begin in the first year of life"


def sentence(name):
    return f"The {name} document tells of {TERMS[name]} in {name} families, of what was seen in {name} homes, and of nothing else that {name} people say."


@pytest.fixture
def sources(tmp_path):
    """Articles with a copy, an empty one and one with a test item; notes with identifiers; a general text that copies an article."""
    (tmp_path / "articles.jsonl").write_text(
        "".join(
            json.dumps({"id": name, "text": text, "terms": terms}) + "\n"
            for name, text, terms in (
                ("a", sentence("alpha"), "CC BY 4.0"),
                ("a2", sentence("alpha").upper(), "CC BY 4.0"),
                ("b", sentence("beta"), ""),
                ("c", f"An answer to {ITEM}, in short.", "CC BY 4.0"),
                ("d", " \n", ""),
            )
        )
    )
    (tmp_path / "notes.csv").write_text(f'id,text\nn1,"{sentence("gamma")}"\nn2,"Mr. Smith is {sentence("delta")} Call 555-123-4567."\n')
    (tmp_path / "general").mkdir()
    (tmp_path / "general" / "copy.txt").write_text(sentence("alpha"))
    (tmp_path / "general" / "own.txt").write_text("General text é of its own with enough words to be a document of some length.")
    (tmp_path / "bench.jsonl").write_text(json.dumps({"id": "q1", "question": ITEM, "answer": "none", "split": "test"}) + "\n")
    return {
        "biomedical": [
            {"format": "jsonl", "path": f"{tmp_path}/articles.jsonl", "id_column": "id", "licence_column": "terms", "licence": "mine", "identifiers": "ignore"}
        ],
        "clinical": [{"format": "csv", "path": f"{tmp_path}/notes.csv", "id_column": "id"}],
        "general": [{"format": "text", "path": f"{tmp_path}/general", "identifiers": "ignore"}],
    }


def test_every_document_is_kept_or_counted_with_the_reason(sources, tmp_path):
    card = build_corpus(sources, tmp_path / "out", benchmarks=[tmp_path / "bench.jsonl"])
    (articles,), (notes,), (general,) = (card["domains"][name]["sources"] for name in sources)
    assert [articles[name] for name in ("read", "empty", "refused", "contaminated", "duplicates", "kept")] == [5, 1, 0, 1, 1, 2]
    assert articles["contaminated_examples"] == [{"document": "c", "item": "q1"}]
    assert articles["licences"] == {"CC BY 4.0": 1, "mine": 1}
    assert [notes[name] for name in ("read", "refused", "kept")] == [2, 1, 1]
    assert notes["identifiers"] == {"phone": 1, "name": 1}
    assert [general[name] for name in ("read", "duplicates", "kept")] == [2, 1, 1]
    assert card["benchmarks"]["items"] == 1
    assert [record.id for record in read_domain(tmp_path / "out", "biomedical")] == ["a", "b"]
    assert next(iter(read_domain(tmp_path / "out", "general"))).text.startswith("General text é")
    assert card["domains"]["biomedical"]["characters"] == len(sentence("alpha")) + len(sentence("beta"))
    assert read_card(tmp_path / "out") == card


def test_identifiers_are_redacted_by_setting_and_stand_nowhere(sources, tmp_path, capfd):
    sources["clinical"][0]["identifiers"] = "redact"
    card = build_corpus(sources, tmp_path / "out")
    (notes,) = card["domains"]["clinical"]["sources"]
    assert [notes[name] for name in ("refused", "redacted", "kept")] == [0, 1, 2]
    told = json.dumps(card) + "".join(capfd.readouterr()) + "".join(str(record) for record in read_domain(tmp_path / "out", "clinical"))
    assert "[phone]" in told
    assert "Smith" not in told
    assert "555-123" not in told


def test_the_same_sources_give_the_same_bytes_without_name_and_time(sources, tmp_path, monkeypatch):
    build_corpus(sources, tmp_path / "one")
    monkeypatch.setattr("gzip.time.time", lambda: 5e8)
    build_corpus(sources, tmp_path / "two")
    files = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert files == ["biomedical.jsonl.gz", "card.json", "clinical.jsonl.gz", "general.jsonl.gz"]
    for name in files:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    header = (tmp_path / "one" / "general.jsonl.gz").read_bytes()[:8]
    assert header[3] == 0  # no name
    assert header[4:8] == bytes(4)  # no time


def test_the_card_tells_the_sha256_and_a_changed_file_is_refused(sources, tmp_path):
    card = build_corpus(sources, tmp_path / "out")
    path = tmp_path / "out" / "general.jsonl.gz"
    assert card["domains"]["general"]["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    path.write_bytes(gzip.compress(b'{"id": "x", "text": "y", "source": "z"}\n'))
    with pytest.raises(ValueError, match=r"general.jsonl.gz: sha256 is .*, expected .* as in card.json"):
        read_domain(tmp_path / "out", "general")
    with pytest.raises(ValueError, match=r"domain 'other': there is none, found biomedical, clinical, general"):
        read_domain(tmp_path / "out", "other")
    with pytest.raises(ValueError, match=r"found no card.json"):
        read_domain(tmp_path, "general")


def test_a_build_that_fails_leaves_nothing_and_the_corpus_before_it(sources, tmp_path):
    build_corpus(sources, tmp_path / "out")
    before = (tmp_path / "out" / "card.json").read_bytes()
    (tmp_path / "articles.jsonl").write_text('{"id": "a", "text": "b')
    for out in ("out", "new"):
        with pytest.raises(ValueError, match=r"articles.jsonl, line 1"):
            build_corpus(sources, tmp_path / out)
    assert (tmp_path / "out" / "card.json").read_bytes() == before
    assert not [path for path in tmp_path.iterdir() if path.name.startswith("new") or "partial" in path.name]


def test_a_corpus_is_replaced_and_anything_else_is_not(sources, tmp_path):
    build_corpus(sources, tmp_path / "out")
    card = build_corpus({"general": sources["general"]}, tmp_path / "out", cleaning=Cleaning(threshold=0.9))
    assert list(read_card(tmp_path / "out")["domains"]) == ["general"]
    assert card["settings"]["threshold"] == 0.9
    with pytest.raises(ValueError, match=r"general: found something that is not a corpus"):
        build_corpus(sources, tmp_path / "general")


def test_a_domain_without_a_document_is_refused_with_what_became_of_all(sources, tmp_path):
    (tmp_path / "notes.csv").write_text("id,text\nn1,Mr. Smith is well.\n")
    with pytest.raises(ValueError, match=r"domain 'clinical': no document is left \(read 1, empty 0, refused 1, .*set identifiers to redact"):
        build_corpus(sources, tmp_path / "out")


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ([], "found list, expected domains"),
        ({"a/b": [{"format": "text"}]}, "domain 'a/b': expected a name of letters"),
        ({"a": "text"}, "domain 'a': found str, expected a list"),
        ({"a": [{"path": "x"}]}, "domain 'a', field format: found"),
        ({"a": [{"format": "text", "identifiers": "hide"}]}, "field identifiers: found 'hide', expected refuse, redact, ignore"),
    ],
)
def test_a_config_that_cannot_be_is_refused(config, message, tmp_path):
    (tmp_path / "config.yaml").write_text(json.dumps(config))
    with pytest.raises(ValueError, match=message):
        read_config(tmp_path / "config.yaml")


def test_an_unknown_format_is_refused_and_nothing_is_left(tmp_path):
    with pytest.raises(ValueError, match=r"field format: found 'tekst', expected one of jats"):
        build_corpus({"a": [{"format": "tekst", "path": "x"}]}, tmp_path / "out")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["corpus/medical.yaml", "corpus/small.yaml"])
def test_the_shipped_configs_name_known_formats(name):
    config = read_config(name)
    assert list(config) == ["biomedical", "clinical", "general"]
    assert {source["format"] for sources in config.values() for source in sources} <= set(FORMATS)


def test_a_config_that_is_no_yaml_is_refused_in_one_line(tmp_path):
    (tmp_path / "bad.yaml").write_text("a: [")
    with pytest.raises(ValueError, match=r"bad.yaml: cannot be read: .* expected YAML") as error:
        read_config(tmp_path / "bad.yaml")
    assert "\n" not in str(error.value)


def test_a_path_that_is_not_there_is_told_before_anything_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(build, "read_corpus", lambda *arguments, **settings: pytest.fail("a source was read"))
    (tmp_path / "notes").mkdir()
    config = {"general": [{"format": "text", "path": str(tmp_path / "notes")}], "clinical": [{"format": "text", "path": "$BRIDGE_DATA/nothing"}]}
    monkeypatch.setenv("BRIDGE_DATA", str(tmp_path))
    with pytest.raises(ValueError, match="nothing, expected a file or folder; set BRIDGE_DATA"):
        build.build_corpus(config, tmp_path / "corpus")
