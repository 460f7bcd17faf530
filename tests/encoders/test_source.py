"""What stands after the name of a source."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from encoders.source import located

PLAIN = st.text("abcXYZ019_-. ", min_size=1, max_size=12).map(str.strip).filter(lambda text: text.strip(". ") != "")


@pytest.mark.parametrize(
    ("text", "files", "key", "choices"),
    [
        ("genes.h5ad", ["genes.h5ad"], "", {}),
        ("genes.h5ad#obsm:X_scgpt", ["genes.h5ad"], "obsm:X_scgpt", {}),
        ("x.h5mu#mod/rna/obsm:X_pca,id=gene", ["x.h5mu"], "mod/rna/obsm:X_pca", {"id": "gene"}),
        ("genes.npz#vectors,id=names", ["genes.npz"], "vectors", {"id": "names"}),
        ("genes.parquet#id=gene symbol", ["genes.parquet"], "", {"id": "gene symbol"}),
        ("genes.h5ad#obsm:a,b", ["genes.h5ad"], "obsm:a,b", {}),
        ("ds/derivatives#ses=01,desc=preproc", ["ds/derivatives"], "", {"ses": "01", "desc": "preproc"}),
        ("a.nii.gz#atlas=b/c.nii.gz", ["a.nii.gz"], "", {"atlas": "b/c.nii.gz"}),
    ],
)
def test_file_key_and_choices_are_told_apart(text, files, key, choices):
    for given_as in (text, Path(text)):
        assert located(given_as) == (tuple(map(Path, files)), key, choices)


def test_files_joined_by_a_comma_are_several_and_a_file_that_has_one_in_its_name_is_itself(tmp_path):
    for name in ("lh.txt", "a,b.csv", "c#1.csv"):
        (tmp_path / name).write_text("x")
    pair = f"{tmp_path}/lh.txt,{tmp_path}/rh.txt"
    assert located(pair).files == (tmp_path / "lh.txt", tmp_path / "rh.txt")
    assert located(tmp_path / "a,b.csv").files == (tmp_path / "a,b.csv",)
    assert located(f"{tmp_path}/c#1.csv#id=gene") == ((tmp_path / "c#1.csv",), "", {"id": "gene"})
    with pytest.raises(ValueError, match=r"lh\.txt,rh\.txt: found 2 files, expected one"):
        located(pair).only()


@pytest.mark.parametrize(("text", "message"), [("a.csv#id=b,id=c", "'id' is given twice"), ("a.csv#id=", "'id' is given no value")])
def test_a_choice_without_a_value_or_made_twice_is_refused(text, message):
    with pytest.raises(ValueError, match=message):
        located(text)


def test_a_choice_that_a_reader_does_not_know_is_refused_with_those_it_knows():
    with pytest.raises(ValueError, match=r"genes\.csv#session=1: unknown choice 'session'; expected one of id, sample"):
        located("genes.csv#session=1").require_choices(("id", "sample"))


@given(PLAIN, PLAIN, st.dictionaries(st.sampled_from(["id", "ses", "desc"]), PLAIN, max_size=3))
def test_what_is_put_together_is_taken_apart(file, key, choices):
    file = f"no such folder/{file}"
    text = f"{file}#{','.join([f'obsm:{key}', *(f'{name}={value}' for name, value in choices.items())])}"
    assert located(text) == ((Path(file),), f"obsm:{key}", choices)
