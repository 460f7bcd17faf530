"""Work in a child: what it gives, and how each way to end it becomes one line."""

from __future__ import annotations

import ctypes
import os
import time

import numpy as np
import pytest

from bridge.data.limited import Limits, limited

LIMITS = Limits(memory_bytes=128 << 20, cpu_s=20, wall_s=60)


def give(count):
    """Some JSON and two arrays."""
    return {"count": count}, {"rising": np.arange(count), "one": np.float32([[1.5, np.nan]])}


def refuse(words):
    """A refusal in three lines."""
    raise ValueError(words)


def fail():
    """An error of a library."""
    raise KeyError("obs")


def crash():
    """Read where no memory is."""
    return ctypes.string_at(0)


def abort():
    """What a library in C does that has no memory."""
    os.abort()


def grow():
    """More memory than allowed."""
    return {}, {"much": np.ones(1 << 28)}


def work():
    """Processor time without end."""
    while True:
        pass


def sleep():
    """Wall time without end."""
    time.sleep(600)


def objects():
    """What would have to be pickled."""
    return {}, {"any": np.array([{}], dtype=object)}


def ask(name, limits=LIMITS, **arguments):
    return limited(f"test_limited_child:{name}", arguments, limits, "some.file")


def test_values_and_arrays_come_back_as_they_were():
    done = ask("give", count=5)
    assert done.told == {"count": 5}
    np.testing.assert_array_equal(done.arrays["rising"], np.arange(5))
    np.testing.assert_array_equal(done.arrays["one"], np.float32([[1.5, np.nan]]))
    assert done.arrays["one"].dtype == np.float32


def test_a_refusal_keeps_its_words_and_no_more_than_two_lines():
    with pytest.raises(ValueError, match=r"^first\nsecond$"):
        ask("refuse", words="first\n\nsecond\nthird")


@pytest.mark.parametrize(
    ("name", "limits", "words"),
    [
        ("fail", LIMITS, "some.file: cannot be read: KeyError: 'obs'; the file is damaged"),
        ("crash", LIMITS, "some.file: ends the process that reads it"),
        ("abort", LIMITS, "some.file: ends the process that reads it"),
        ("grow", LIMITS, "some.file: needs more than 0.125 GiB of memory"),
        ("work", LIMITS._replace(cpu_s=1), "some.file: takes more than 1 s of processor time"),
        ("sleep", LIMITS._replace(wall_s=1), "some.file: takes more than 1 s to be read"),
        ("objects", LIMITS, "some.file: cannot be read: "),
    ],
)
def test_a_child_that_ends_otherwise_is_one_line(name, limits, words):
    with pytest.raises(ValueError, match=f"^{words}") as caught:
        ask(name, limits)
    assert len(str(caught.value).splitlines()) == 1


def test_after_a_crash_the_next_file_is_read():
    with pytest.raises(ValueError, match="ends the process"):
        ask("crash")
    assert ask("give", count=1).told == {"count": 1}
