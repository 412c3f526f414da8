"""What the words of a report mean, and what a reader must know to trust its numbers."""

from collections.abc import Sequence

from bghop.reporting.blocks import Term
from bghop.reporting.summary import LARGE_CM, MethodSummary, Row

_FEW_OBJECTS = 15
_FILES = "mesh"  # what objects from files have instead of a family

_TERMS = (
    ("Hold test", "hold_test.md",
     "A physics simulation: both hands squeeze the object (at most 15 N a finger, 40 N a wrist) "
     "for 0.3 s without gravity, then gravity pulls for 2 s along each of six directions, each "
     "from the closed state. A grasp holds if the object moves less than 2 cm and turns less than "
     "15 degrees in all six; 'directions' is the share of the six that hold."),
    ("All candidates, best-ranked, verified", "benchmark.md",
     "All candidates: the mean over every grasp of every run. Best-ranked: the one grasp of a run "
     "that scores put first, without any simulation. Verified: the first by rank that the hold "
     "test itself accepts, or the best-ranked one where none is accepted. Verified success says "
     "how often a run contains a grasp that holds; it was chosen by the same test that counts it."),
    ("Lift", "benchmark.md",
     "Hold success of the best-ranked grasp minus that of the mean candidate of the same run, in "
     "hundredths of a share (points), averaged over runs. Zero: ranking is no better than chance."),
    ("A hand removed", "hold_test.md",
     "The hold test again with one hand taken away. 'Without left' is what the right hand alone "
     "holds. 'Either hand alone' counts grasps that at least one hand holds by itself; the cost of "
     "a hand is the hold success with both minus that without it, grasp by grasp, in points."),
    ("Penetration depth", "results.md#metrics",
     "Distance from the deepest hand vertex inside the object to the surface, in mm; 0 if none is "
     "inside. Of both hands: the deeper one."),
    ("Intersection volume", "results.md#metrics",
     "1 mm voxels inside both the object and the hand sealed at the wrist, in cm³. Of both hands: "
     "the sum."),
    ("Contact ratio, fingers", "results.md#metrics",
     "Share of hand vertices within 5 mm of the surface (of both hands: the mean); fingers whose "
     "pad is within 3 mm of the surface (of both hands: the sum, at most 10)."),
    ("Good", "results.md#graspsjson",
     "A grasp that keeps every demand on the metrics: each hand under 3 mm deep and under 1 cm³ "
     "inside, at least 3 fingers in contact, at most 0.5 degrees over a joint limit, hands at most "
     "1 mm inside each other. It says nothing of holding."),
    ("Static check", "hold_test.md#static-check",
     "Whether contact forces inside the friction cones can balance gravity in all six directions, "
     "without simulation. It may choose its forces freely and ignores what joints can give."),
    ("Instability, score, order", "hold_test.md#static-check",
     "Instability is what contact forces leave unbalanced of twice the weight with friction 0.5, "
     "plus a part for a squeeze of the hands that does not cancel; lower is better. The score adds "
     "a thousandth of the optimiser's energy and orders grasps with equally many faults. How well "
     "it orders is the share of pairs of a held and a dropped grasp that it puts in this order."),
    ("GraspTTA, HALO", "metrics.md",
     "The definitions that most papers report. GraspTTA: 5 mm voxels on the object's surface "
     "inside the hand, the deepest vertex in cm, some vertex within 5 mm. HALO: 1 mm voxels inside "
     "both if any vertex is inside, the least signed distance of a vertex (negative inside), the "
     "share of hands with a vertex inside. Every hand is one sample."),
    ("Diversity", "metrics.md#many-grasps",
     "Entropy and cluster size: all hands without the poses of their wrists in 20 k-means clusters "
     "(HALO); both depend on the number of grasps, and are left out for fewer than 100 hands. "
     "Distance of two grasps: mean over joints and pairs of grasps of one object, in its frame."),
    ("Intervals", "benchmark.md",
     "95 % percentile intervals of a bootstrap that draws whole objects with all their grasps, "
     "because grasps of one object succeed and fail together. They say how numbers would vary "
     "with other objects of the same kind, not with other settings of the simulation; where every "
     "object gives the same value they have no width, which is no proof of certainty."),
)  # fmt: skip


def definitions(docs: str = "") -> tuple[Term, ...]:
    """One paragraph each; links into the folder `docs` unless it is empty."""
    folder = docs if not docs or docs.endswith("/") else f"{docs}/"
    return tuple(
        Term(name=name, meaning=meaning, link=f"{folder}{page}" if docs else "")
        for name, page, meaning in _TERMS
    )


def notes(
    rows: Sequence[Row], methods: Sequence[MethodSummary], given: Sequence[str]
) -> tuple[str, ...]:
    """What limits these numbers: found in the rows, then what always holds, then what is given."""
    found = []
    objects = {(row["object_set"], row["object"]) for row in rows}
    if len(objects) < _FEW_OBJECTS:
        found.append(
            f"Only {len(objects)} objects: percentile intervals of so few are too narrow (below 5 "
            "there are none), and ends at 0 or 100 % mean that nothing else was seen, not that "
            "nothing else can be."
        )
    untested = sum(row["hold"] is None for row in rows)
    if untested:
        found.append(
            f"{untested} of {len(rows)} grasps had no hold test; they are missing from every "
            "number of holding, not counted as failures."
        )
    families = {row["family"] for row in rows}
    if len(families) < len(objects) and families != {_FILES}:
        found.append(
            f"The {len(objects)} objects belong to {len(families)} families (such as one laptop at "
            "several angles), which the intervals count as independent objects."
        )
    if any(row["family"] == _FILES for row in rows):
        found.append(
            "Nothing is known of the families of meshes from files; intervals count each file as "
            "an independent object."
        )
    if not any(row["size_cm"] > LARGE_CM for row in rows):
        found.append(f"No object is over {LARGE_CM:.0f} cm, where two hands matter most.")
    if len({each.method for each in methods}) > 1:
        found.append(
            "Methods were run on the same objects, so overlapping intervals of two methods do not "
            "show that they are equal: the table of paired differences tells."
        )
    found.append(
        "The hold test is a model: capsules for skin, convex pieces for the object, one friction "
        "coefficient, forces chosen at human scale. Compare its numbers with each other, not with "
        "other simulators or with trials on real objects."
    )
    found.append(
        "Times depend on the machine and on what else ran on it; they are in the reports only, not "
        "in summary.json."
    )
    return (*found, *given)
