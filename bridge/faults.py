"""Errors that nobody foresaw: told in a line, without the values that a traceback may show."""

from __future__ import annotations


def where(error: BaseException) -> str:
    """Kind and place in the code of an error, without its message: that may hold values of a sample."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = "" if trace is None else f" in {trace.tb_frame.f_code.co_qualname}, line {trace.tb_lineno}"
    return f"{type(error).__name__}{place}"


def is_panic(error: BaseException) -> bool:
    """Whether it is the end of a library written in Rust (of a tokenizer's pattern, say), which is no ``Exception``."""
    return type(error).__name__ == "PanicException"
