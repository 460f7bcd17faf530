"""Two files of the same samples in random order, and the pairs that a join makes of them."""

from __future__ import annotations

import numpy as np

from bridge.data.join import IdSource, join_ids

#: Ids of the forms that cohorts have, among them some that are close to one another.
FORMS = ("sub-{:02d}", "{:04d}", "P{}-a", "p{}", "SCN{}A", "ENSG{:011d}")


def wrong_pairs(random: np.random.Generator) -> int:
    """Pairs of rows joined though their ids differ, and pairs not joined though they are equal, in one random draw."""
    form = FORMS[random.integers(len(FORMS))]
    names = [form.format(number) for number in random.choice(9999, random.integers(4, 16), replace=False)]
    first, second = (list(random.permutation(names)[: random.integers(len(names) * 3 // 4, len(names) + 1)]) for _ in range(2))
    first, second = [str(each) for each in first], [str(each) for each in second]
    joined = join_ids([IdSource("gene", "genes.csv", first), IdSource("brain", "brains.csv", second)])
    wrong = 0
    for place, sample in enumerate(joined.ids):
        here, there = joined.rows["gene"][place], joined.rows["brain"][place]
        wrong += (here >= 0) != (sample in first) or (there >= 0) != (sample in second)
        wrong += (here >= 0 and first[here] != sample) or (there >= 0 and second[there] != sample)
    return wrong
