"""The table of metrics by the definitions of GraspTTA and HALO, under their own names."""

from collections.abc import Sequence
from functools import partial

from bghop.reporting.blocks import Table, number, share
from bghop.reporting.summary import MethodSummary
from bghop.reporting.tables import ALL

_two = partial(number, digits=2)
_COLUMNS = (
    ("GraspTTA volume, cm³", "grasptta_volume", _two),
    ("GraspTTA depth, cm", "grasptta_depth", _two),
    ("GraspTTA contact", "grasptta_contact", share),
    ("HALO volume, cm³", "halo_volume", _two),
    ("HALO mesh distance, cm", "halo_distance", _two),
    ("HALO contact ratio", "halo_contact", share),
)


def published_table(methods: Sequence[MethodSummary]) -> Table:
    """Left, right, and every hand as one sample, which is how papers count; all candidates."""
    rows = []
    for each in methods:
        every = each.groups[ALL].selections["all"]
        for label, ending in (("left", "_left"), ("right", "_right"), ("both, mean of hands", "")):
            values = tuple(form(every[name + ending]) for _, name, form in _COLUMNS)
            rows.append((f"{each.method}, {label}", values))
    return Table(
        head=("Method, hand", *(words for words, _, _ in _COLUMNS)), rows=tuple(rows),
        caption="All candidates; a value is of one hand. Compare a column with numbers of the "
        "same definition only, never with the tables above.",
    )  # fmt: skip
