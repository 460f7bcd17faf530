"""JSON of a bundle is read strictly: whatever two readers could take for two things is refused in a line."""

import pytest

from bridge.data import json_file
from bridge.data.json_file import read_json

WRONG = {
    "deep list": "[" * 200_000 + "]" * 200_000,
    "deep dict": '{"a":' * 200_000 + "1" + "}" * 200_000,
    "nan": '{"a": NaN}',
    "infinity": '{"a": [-Infinity]}',
    "twice": '{"a": 1, "b": {"c": 1, "c": 2}}',
    "huge number": '{"a": ' + "9" * 10_000 + "}",
    "another kind": "[]",
    "null": "null",
    "empty": "",
    "not text": b"\xff\xfe{}",
}


@pytest.mark.parametrize("content", WRONG.values(), ids=WRONG)
def test_what_is_not_plain_is_refused_in_a_line(content, tmp_path):
    path = tmp_path / "config.json"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ValueError, match=r"config.json: (not JSON|found).*; the bundle is damaged") as refusal:
        read_json(path)
    assert len(str(refusal.value).splitlines()) == 1


def test_what_is_plain_comes_back(tmp_path):
    (tmp_path / "config.json").write_text('{"a": {"b": [1, 2.5, null, "c"]}}')
    assert read_json(tmp_path / "config.json") == {"a": {"b": [1, 2.5, None, "c"]}}


def test_a_file_larger_than_any_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(json_file, "LARGEST_BYTES", 10)
    (tmp_path / "config.json").write_text('{"a": "more than ten"}')
    with pytest.raises(ValueError, match="found 0 MB, expected at most 0 MB"):
        read_json(tmp_path / "config.json")
