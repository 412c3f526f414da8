"""Tables of what is known of a grasp before the hold test, against what the hold test says."""

from collections.abc import Sequence

from bghop.reporting.blocks import Table, Value, share
from bghop.reporting.summary import MethodSummary
from bghop.reporting.tables import ALL


def ordering_table(methods: Sequence[MethodSummary]) -> Table | None:
    """Whether scores put grasps that hold before those that do not; None if nothing was tested."""
    columns = (
        ("Score", "score"), ("Instability alone", "instability"), ("Energy alone", "energy"),
        ("Rank (faults first)", "rank"),
    )  # fmt: skip
    rows = []
    for each in methods:
        found = each.groups[ALL].ordering
        pairs = found["score"]
        count = "0" if pairs is None else str(pairs.n)
        values = (*(share(found[name]) for _, name in columns), Value(text=count))
        rows.append((each.method, values))
    if not any(each.groups[ALL].selections["all"]["hold"] for each in methods):
        return None
    return Table(
        head=("Method", *(words for words, _ in columns), "Pairs"), rows=tuple(rows),
        caption="Share of pairs of candidates of one object (rank: of one run), one held and one "
        "dropped, in which the held one comes first: the area under the ROC curve within objects. "
        "50 % is chance.",
    )  # fmt: skip


def static_table(methods: Sequence[MethodSummary]) -> Table | None:
    """Grasps by the answers of the static check and of the hold test; None without both."""
    rows = []
    for each in methods:
        found = each.groups[ALL].static
        counts = (found.both, found.static_only, found.hold_only, found.neither)
        values = (*(Value(text=str(count)) for count in counts), share(found.agreement))
        rows.append((each.method, values))
    if all(each.groups[ALL].static.agreement is None for each in methods):
        return None
    head = ("Method", "Both hold", "Static check only", "Hold test only", "Neither", "Agreement")
    return Table(head=head, rows=tuple(rows), caption="Grasps that had both tests.")
