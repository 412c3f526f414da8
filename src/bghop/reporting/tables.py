"""The tables of a report, from the summaries of its methods."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from bghop.reporting.blocks import NOTHING, Figures, Table, Value, number, share
from bghop.reporting.comparison import Comparison
from bghop.reporting.intervals import Estimate
from bghop.reporting.summary import LARGE_CM, MethodSummary
from bghop.reporting.timing import MeanAndMost, MethodTimes

Format = Callable[[Estimate | float | None], Value]
Columns = tuple[tuple[str, str, Format], ...]
"""Words of the head, name of the metric, how it is written."""

ALL = "all objects"
_points = partial(number, digits=0, signed=True)
_one, _two = partial(number, digits=1), partial(number, digits=2)


def _share(value: Estimate | float | None) -> Value:
    return share(value) if isinstance(value, Estimate) or value is None else _percent(value)


def _percent(value: float) -> Value:
    return number(value, digits=0, scale=100.0, unit=" %")


_MAIN: Columns = (
    ("Hold", "hold", _share), ("Directions", "directions", _share), ("Good", "good", _share),
    ("Depth, mm", "depth", _two), ("Volume, cm³", "volume", _two),
    ("Contact ratio", "contact_ratio", partial(number, digits=3)), ("Fingers", "fingers", _one),
    ("Both hands touch", "both_in_contact", _share),
    ("Hand in hand, mm", "hand_hand_depth", _two), ("Static check", "static", _share),
    ("Instability", "instability", partial(number, digits=3)),
)  # fmt: skip
_TWO_HANDS: Columns = (
    ("Hold, both hands", "hold", _share), ("Without left", "without_left", _share),
    ("Without right", "without_right", _share), ("Either hand alone", "one_hand", _share),
    ("Cost of left, points", "drop_left_points", _points),
    ("Cost of right, points", "drop_right_points", _points),
    ("Cost of the lesser hand, points", "drop_one_hand_points", _points),
)  # fmt: skip
_HANDS: Columns = (
    ("Depth, mm", "depth", _two), ("Volume, cm³", "volume", _two),
    ("Contact ratio", "contact_ratio", partial(number, digits=3)), ("Fingers", "fingers", _one),
    ("Over a limit, deg", "limit", _two), ("Squeeze, N", "squeeze", _one),
)  # fmt: skip


def key_figures(method: MethodSummary) -> Figures:
    """What a reader wants first, of one method."""
    group = method.groups[ALL]
    every, best = group.selections["all"], group.selections["best-ranked"]
    return Figures(
        items=(
            ("Best-ranked hold", share(best["hold"]), "the grasp that the scores put first"),
            ("All candidates hold", share(every["hold"]), "mean over every grasp"),
            ("Lift of ranking", _points(group.lift_points), "points, best-ranked over mean"),
            ("A hand removed", share(every["one_hand"]), "still held by either hand alone"),
            ("Good grasps", share(every["good"]), "no fault in the metrics"),
            ("Depth, mm", _two(every["depth"]), "of the deeper hand"),
        )
    )


def method_table(methods: Sequence[MethodSummary]) -> Table:
    """Both honest selections of every method."""
    rows = [
        (f"{each.method}, {selection}", each.groups[ALL].selections[selection])
        for each in methods
        for selection in ("best-ranked", "all")
    ]
    return _table("Method, selection", _MAIN, rows)


def lift_table(methods: Sequence[MethodSummary]) -> Table:
    """What ranking adds, and what choosing by the test itself could add."""
    rows = []
    for each in methods:
        group = each.groups[ALL]
        selections = group.selections
        verified = selections["verified"]
        values = (
            share(selections["all"]["hold"]), share(selections["best-ranked"]["hold"]),
            _points(group.lift_points), share(verified["hold"]), _two(verified["depth"]),
            share(verified["good"]),
        )  # fmt: skip
        rows.append((each.method, values))
    head = ("Method", "All candidates", "Best-ranked", "Lift, points", "Verified: hold",
            "Verified: depth, mm", "Verified: good")  # fmt: skip
    return Table(
        head=head, rows=tuple(rows),
        caption="Verified: the first candidate by rank that the hold test itself accepts. By its "
        "making it succeeds wherever any candidate does; never compare it with a best-ranked one.",
    )  # fmt: skip


def comparison_table(comparisons: Sequence[Comparison]) -> Table:
    """Paired differences between methods."""
    columns: Columns = (
        ("Hold, points", "hold", partial(_points, scale=100.0)),
        ("Directions, points", "directions", partial(_points, scale=100.0)),
        ("Good, points", "good", partial(_points, scale=100.0)),
        ("Depth, mm", "depth", partial(_two, signed=True)),
        ("Contact ratio", "contact_ratio", partial(number, digits=3, signed=True)),
        ("Fingers", "fingers", partial(_one, signed=True)),
    )
    rows = [
        (f"{each.method} minus {each.reference}, {selection}", each.selections[selection])
        for each in comparisons
        for selection in ("best-ranked", "all")
    ]
    table = _table("Methods, selection", columns, rows)
    caption = "Paired: same objects, same seeds. An interval that holds 0 shows no difference."
    return replace(table, caption=caption)


def two_hands_table(methods: Sequence[MethodSummary]) -> Table:
    """Hands removed, over all candidates, all objects and large ones."""
    rows = [
        (f"{each.method}, {name}", each.groups[name].selections["all"])
        for each in methods
        for name in _groups(each)
        if name in {ALL, f"over {LARGE_CM:.0f} cm"}
    ]
    return _table("Method, objects", _TWO_HANDS, rows)


def per_hand_table(methods: Sequence[MethodSummary]) -> Table:
    """Left, right, and both by the rules of the definitions."""
    rows = []
    for each in methods:
        every = each.groups[ALL].selections["all"]
        for label, ending in (("left", "_left"), ("right", "_right"), ("both", "")):
            values = [form(every[name + ending]) for _, name, form in _HANDS]
            alone = every[f"alone{ending}" if ending else "hold"]
            rows.append((f"{each.method}, {label}", (*values, share(alone))))
    head = ("Method, hand", *(words for words, _, _ in _HANDS), "Holds alone")
    return Table(head=head, rows=tuple(rows),
                 caption="Both: the deeper hand, sums of volumes, fingers and squeeze, the mean "
                 "contact ratio, the larger excess; holds with both hands.")  # fmt: skip


def left_right_table(methods: Sequence[MethodSummary]) -> Table:
    """Left minus right, in pairs."""
    rows = []
    for each in methods:
        difference = each.groups[ALL].left_minus_right
        alone = number(difference["alone"], digits=0, scale=100.0, signed=True)
        values = [
            number(difference[name], digits=3 if name == "contact_ratio" else 2, signed=True)
            for _, name, _ in _HANDS
        ]
        rows.append((each.method, (*values, alone)))
    head = ("Method", *(words for words, _, _ in _HANDS), "Holds alone, points")
    return Table(head=head, rows=tuple(rows),
                 caption="Left minus right of the same grasp, all candidates. An interval that "
                 "holds 0 shows no side to be better.")  # fmt: skip


def group_table(methods: Sequence[MethodSummary]) -> Table:
    """Hold success on parts of the objects."""
    rows = []
    for each in methods:
        for name in _groups(each):
            group = each.groups[name]
            every, best = group.selections["all"], group.selections["best-ranked"]
            rows.append((f"{each.method}, {name}", (
                Value(text=str(group.objects)), share(best["hold"]), share(every["hold"]),
                _points(group.lift_points), share(every["one_hand"]), share(every["good"]),
            )))  # fmt: skip
    head = ("Method, objects", "Objects", "Best-ranked", "All candidates", "Lift, points",
            "Either hand alone", "Good")  # fmt: skip
    return Table(head=head, rows=tuple(rows))


def object_table(method: MethodSummary) -> Table:
    """One method, one object a row, hardest first."""
    rows = []
    order = sorted(method.objects, key=lambda each: (each.means["all"]["hold"] or 0.0, each.object))
    for each in order:
        every, best = each.means["all"], each.means["best-ranked"]
        rows.append((each.object, (
            _one(each.size_cm), _two(each.mass_kg), Value(text=str(each.grasps)),
            _share(best["hold"]), _share(every["hold"]), _share(every["directions"]),
            _share(every["one_hand"]), _share(every["good"]), _two(every["depth"]),
            _two(every["volume"]), _pair(every, "contact_ratio", 2), _pair(every, "fingers", 1),
        )))  # fmt: skip
    head = ("Object", "Size, cm", "kg", "Grasps", "Best-ranked", "All candidates", "Directions",
            "Either hand alone", "Good", "Depth, mm", "Volume, cm³", "Contact L / R",
            "Fingers L / R")  # fmt: skip
    return Table(head=head, rows=tuple(rows), caption=f"{method.method}; hardest objects first.")


def time_table(times: Mapping[str, MethodTimes]) -> Table:
    """Mean and largest wall-clock times."""
    columns = (
        ("Synthesis, s a grasp", "grasp_s", 2), ("Synthesis, s a run", "synthesis_s", 1),
        ("Loading, s", "load_s", 1), ("Metrics, s a grasp", "metrics_s", 2),
        ("Convex pieces, s", "pieces_s", 1), ("Hold test, s a grasp", "hold_s", 2),
        ("Static check, ms", "static_ms", 0),
    )  # fmt: skip
    rows = tuple(
        (method, (Value(text=str(each.runs)),
                  *(_time(each.columns[name], digits) for _, name, digits in columns)))
        for method, each in times.items()
    )  # fmt: skip
    head = ("Method", "Runs", *(words for words, _, _ in columns))
    return Table(head=head, rows=rows, caption="Wall-clock means over runs, and the largest.")


def extra_table(methods: Sequence[MethodSummary]) -> Table | None:
    """Numbers measured elsewhere, such as diversity; None if there are none."""
    names = tuple(dict.fromkeys(name for each in methods for name in each.extra))
    if not names:
        return None
    rows = tuple((each.method, tuple(_two(each.extra.get(name)) for name in names))
                 for each in methods)  # fmt: skip
    return Table(head=("Method", *names), rows=rows)


def _table(
    corner: str, columns: Columns, rows: Sequence[tuple[str, Mapping[str, Estimate | None]]]
) -> Table:
    return Table(
        head=(corner, *(words for words, _, _ in columns)),
        rows=tuple((label, tuple(form(found[name]) for _, name, form in columns))
                   for label, found in rows),
    )  # fmt: skip


def _groups(method: MethodSummary) -> list[str]:
    """All objects, and groups that are not the same as all of them."""
    count = method.groups[ALL].objects
    return [name for name, group in method.groups.items() if name == ALL or group.objects < count]


def _pair(means: Mapping[str, float | None], name: str, digits: int) -> Value:
    sides = [number(means[f"{name}_{side}"], digits=digits).text for side in ("left", "right")]
    return Value(text=" / ".join(sides))


def _time(found: MeanAndMost | None, digits: int) -> Value:
    if found is None:
        return Value(text=NOTHING)
    return Value(text=f"{found.mean:.{digits}f}", note=f"at most {found.most:.{digits}f}")
