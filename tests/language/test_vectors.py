"""What was stored is found again whole: after a kill, beside another writer, and around what is damaged."""

import inspect
import signal
import subprocess
import sys

import numpy as np
import pytest

from bridge.language import vectors as module
from bridge.language.vectors import ENTRY, Vectors

WIDTH = 6
#: A writer in a process of its own, without the packages that the bridge itself needs; it tells when it has begun.
WRITER = """
import importlib.util, sys
import numpy as np
spec = importlib.util.spec_from_file_location("vectors", sys.argv[1])
vectors = importlib.util.module_from_spec(spec)
spec.loader.exec_module(vectors)
begin, count = int(sys.argv[3]), int(sys.argv[4])
with vectors.Vectors(__import__("pathlib").Path(sys.argv[2]), 6).writer() as append:
    for number in range(begin, begin + count):
        append([number.to_bytes(16, "big")], np.full((1, 6), number, np.float32))
        print(number, flush=True)
"""


@pytest.fixture
def store(tmp_path):
    return Vectors(tmp_path / "store", WIDTH)


def name(number):
    return number.to_bytes(16, "big")


def made(numbers):
    return np.repeat(np.array(numbers, np.float32)[:, None], WIDTH, axis=1)


def put(store, numbers):
    with store.writer() as append:
        append([name(number) for number in numbers], made(numbers))


def got(store, numbers):
    """Numbers whose vectors are found, each checked."""
    into = np.full((len(numbers), WIDTH), np.nan, np.float32)
    found = store.read({name(number): row for row, number in enumerate(numbers)}, into)
    there = [name(number) in found for number in numbers]
    np.testing.assert_array_equal(into[there], made([number for number, one in zip(numbers, there, strict=True) if one]))
    assert np.isnan(into[~np.array(there)]).all()
    return {number for number, one in zip(numbers, there, strict=True) if one}


def begun(store, first, count):
    command = [sys.executable, "-c", WRITER, inspect.getfile(module), str(store.folder), str(first), str(count)]
    writer = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert writer.stdout.readline() == f"{first}\n"
    return writer


def test_vectors_are_found_by_name_whatever_their_order(store):
    put(store, [3, 1, 4])
    put(store, [15, 9])
    assert got(store, [9, 2, 4, 3, 15, 6, 1]) == {1, 3, 4, 9, 15}
    assert got(Vectors(store.folder, WIDTH), [1]) == {1}


def test_nothing_is_found_where_nothing_was_stored(store):
    assert got(store, [1, 2]) == set()
    assert not store.folder.exists()


def test_one_writer_after_another_fills_the_same_files(store):
    for number in range(1, 5):
        put(store, [number])
    assert sorted(path.suffix for path in store.folder.iterdir()) == [".index", ".values"]


def test_two_writers_at_once_have_files_of_their_own(store):
    with store.writer() as first, store.writer() as second:
        for number in range(1, 9, 2):
            first([name(number)], made([number]))
            second([name(number + 1)], made([number + 1]))
        assert got(store, list(range(1, 9))) == set(range(1, 9))  # each vector as soon as it is appended
    assert len(list(store.folder.glob("*.values"))) == 2


def test_two_processes_at_once_lose_nothing(store):
    writers = [begun(store, first, 30) for first in (1000, 2000)]
    assert [writer.communicate(timeout=60) and writer.returncode for writer in writers] == [0, 0]
    wanted = [*range(1000, 1030), *range(2000, 2030)]
    assert got(store, wanted) == set(wanted)


def test_a_killed_writer_leaves_all_that_it_had_appended(store):
    writer = begun(store, 1000, 10**6)
    told = [1000] + [int(writer.stdout.readline()) for _ in range(50)]
    writer.send_signal(signal.SIGKILL)
    told += [int(line) for line in writer.communicate(timeout=60)[0].splitlines()]
    assert writer.returncode == -signal.SIGKILL
    assert got(store, told) == set(told)
    put(store, [7])
    assert got(store, [7, *told]) == {7, *told}


@pytest.mark.parametrize("suffix", [".values", ".index"])
@pytest.mark.parametrize("torn", [1, 19, 25])
def test_a_torn_end_costs_no_more_than_what_it_tore(suffix, torn, store):
    put(store, [1, 2, 3, 4])
    (file,) = store.folder.glob(f"*{suffix}")
    file.write_bytes(file.read_bytes()[:-torn])
    lost = {(".index", 25): {3, 4}, (".values", 25): {3, 4}}.get((suffix, torn), {4})
    assert got(store, [1, 2, 3, 4]) == {1, 2, 3, 4} - lost
    put(store, [*lost, 5])
    assert got(store, [1, 2, 3, 4, 5]) == {1, 2, 3, 4, 5}


@pytest.mark.parametrize("suffix", [".values", ".index"])
def test_vectors_without_entries_and_entries_without_vectors_are_not_there(suffix, store):
    put(store, [1, 2])
    (file,) = store.folder.glob(f"*{suffix}")
    for content in (None, b"", b"something else altogether"):
        file.unlink() if content is None else file.write_bytes(content)
        assert got(store, [1, 2]) == set()
    put(store, [1, 2])
    assert got(store, [1, 2]) == {1, 2}


def test_a_damaged_vector_is_told_of_once_and_made_again_and_no_other(store, capsys):
    put(store, [1, 2, 3])
    (file,) = store.folder.glob("*.values")
    content = bytearray(file.read_bytes())
    content[4 * WIDTH + 5] ^= 1
    file.write_bytes(content)
    assert got(store, [1, 2, 3]) == {1, 3}
    assert f"1 vectors in {file} are damaged; they are made again" in capsys.readouterr().out
    put(store, [2])
    assert got(store, [1, 2, 3]) == {1, 2, 3}
    assert capsys.readouterr().out == ""


def test_a_damaged_entry_is_no_vector_of_another_text(store):
    put(store, [1, 2, 3])
    (file,) = store.folder.glob("*.index")
    content = bytearray(file.read_bytes())
    content[ENTRY.itemsize + 15] ^= 3  # the name of 2 reads 1 now
    file.write_bytes(content)
    assert got(store, [1, 2, 3]) == {3}
    assert got(store, [1, 2, 3]) == {1, 3}  # the damaged one is forgotten, the first of that name stands


def test_what_could_not_be_written_is_not_read(store, monkeypatch):
    put(store, [1])
    with monkeypatch.context() as patch:
        patch.setattr(module.os, "fsync", lambda _: (_ for _ in ()).throw(OSError("no space left")))
        with pytest.raises(OSError, match="no space left"):
            put(store, [2])
    assert got(store, [1, 2]) == {1}
    put(store, [2])
    assert got(store, [1, 2]) == {1, 2}


def test_where_locks_do_not_exist_every_writer_has_files_of_its_own(store, monkeypatch):
    monkeypatch.setattr(module.fcntl, "flock", lambda *_: (_ for _ in ()).throw(OSError("not supported")))
    put(store, [1])
    put(store, [2])
    assert got(store, [1, 2]) == {1, 2}
    assert len(list(store.folder.glob("*.values"))) == 2


def test_only_the_vectors_that_are_wanted_are_read(store, monkeypatch):
    put(store, list(range(1, 101)))
    taken = []
    monkeypatch.setattr(module, "_checks", lambda names, block, genuine=module._checks: taken.append(len(block)) or genuine(names, block))
    assert got(store, [50, 7]) == {7, 50}
    assert taken == [2]
