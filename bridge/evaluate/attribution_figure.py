"""Which regions or gene sets weigh most, as a PNG: a dot and its interval per set, and what the claims lose that name it."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from bridge.evaluate.canvas import caption, colour, new_figure, save

MOST = 20


def effect_dots(table: pd.DataFrame, path: str | Path, *, title: str, most: int = MOST, n: int | None = None, seed: int | None = None) -> Path:
    """The sets of the largest effect, either way, the largest at the top.

    Args:
        table: From :func:`bridge.evaluate.attribution_files.set_table`.
        path: The PNG to write.
        title: Whose claims they are.
        most: How many sets are drawn at most.
        n: Groups of samples.
        seed: Seed of the bootstrap.

    Raises:
        ValueError: no set has an effect.
    """
    known = table.dropna(subset=["effect"])
    if known.empty:
        raise ValueError("attribution figure: found no set with an effect, expected at least one; it is undefined")
    shown = known.iloc[known["effect"].abs().astype(float).argsort()[::-1][:most]].astype(dict.fromkeys(("effect", "low", "high", "named_effect"), float))
    figure = new_figure(8.6, 1.6 + 0.28 * len(shown))
    axes = figure.add_subplot()
    axes.axvline(0, color="#777777", linestyle="--", linewidth=1.2)
    axes.hlines(range(len(shown)), shown["low"], shown["high"], color=colour(0), linewidth=1.6)
    axes.plot(shown["effect"], range(len(shown)), "o", color=colour(0), label="all claims")
    axes.plot(shown["named_effect"], range(len(shown)), "D", color=colour(1), label="claims that name it")
    axes.set_yticks(range(len(shown)), shown["set"])
    axes.set(ylim=(len(shown) - 0.4, -0.6), xlabel="log-likelihood of a claim lost without the set (nats)")
    axes.set_title(caption(title, n=n, seed=seed, interval="whiskers: 95 % bootstrap over groups"), fontsize=10)
    axes.grid(axis="x", color="#DDDDDD", zorder=0)
    axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(1.01, 1))
    return save(figure, path)
