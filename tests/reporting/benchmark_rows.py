"""Synthetic rows of a benchmark, in the columns that the harness writes."""

import numpy as np

SIDES = ("left", "right")
OBJECTS = (
    ("ycb", "cracker_box", "box", False, 23.5, 1.09),
    ("ycb", "mug", "mug", False, 11.7, 0.12),
    ("ycb", "pitcher", "pitcher", False, 24.2, 1.28),
    ("furniture", "laptop_100", "laptop", True, 29.0, 2.0),
    ("furniture", "microwave", "microwave", True, 31.0, 2.0),
)


def make_rows(
    *, objects=OBJECTS, methods=("optimize@30", "optimize"), seeds=(0,), num=8, seed=7, tested=True
):
    """One row per grasp; success depends on object, method and rank."""
    random = np.random.default_rng(seed)
    easy = {entry[1]: random.uniform(0.3, 0.95) for entry in objects}
    rows = []
    for step, method in enumerate(methods):
        for about in objects:
            for run in seeds:
                for rank in range(num):
                    chance = min(1.0, easy[about[1]] + 0.1 * step - 0.02 * rank)
                    rows.append(_row(random, about, method, run, rank, chance, tested))
    return rows


def make_times(rows):
    """One row per run."""
    runs = dict.fromkeys((row["object"], row["method"], row["seed"]) for row in rows)
    return [
        {"object": name, "method": method, "seed": seed, "load_s": 1.5,
         "synthesis_s": 2.0 if "@" in method else 4.0, "metrics_s": 0.06, "pieces_s": 9.0,
         "hold_s": 0.7, "static_ms": 18.0}
        for name, method, seed in runs
    ]  # fmt: skip


def _row(random, about, method, seed, rank, chance, tested):
    names = ("object_set", "object", "family", "articulated", "size_cm", "mass_kg")
    row = dict(zip(names, about, strict=True))
    row |= {"method": method, "seed": seed, "rank": rank, "energy": 1.0 + 0.1 * rank}
    row |= {f"joints_{side}": random.normal(scale=0.1, size=63).tolist() for side in SIDES}
    for side in SIDES:
        depth = float(random.exponential(0.8))
        row |= {
            f"depth_{side}_mm": depth,
            f"volume_{side}_cm3": 0.1 * depth,
            f"contact_ratio_{side}": float(random.uniform(0.1, 0.3)),
            f"fingers_{side}": int(random.integers(2, 6)),
            f"limit_{side}_deg": 0.0,
            f"grasptta_volume_{side}_cm3": 0.5 + 0.4 * depth,
            f"grasptta_depth_{side}_cm": 0.1 * depth,
            f"grasptta_contact_{side}": True,
            f"halo_volume_{side}_cm3": 0.1 * depth,
            f"halo_distance_{side}_cm": -0.1 * depth if depth > 0.3 else 0.05,
            f"squeeze_{side}_n": float(random.uniform(20, 45)),
            f"hold_without_{side}": bool(random.random() < 0.1 * chance),
            f"hold_without_{side}_directions": int(random.integers(0, 4)),
        }
    row["depth_mm"] = max(row["depth_left_mm"], row["depth_right_mm"])
    row["volume_cm3"] = row["volume_left_cm3"] + row["volume_right_cm3"]
    deep = row["depth_mm"] >= 3
    held = bool(random.random() < chance)
    static = held if random.random() < 0.9 else not held
    row |= {
        "hand_hand_depth_mm": 0.0, "hand_hand_volume_cm3": 0.0, "both_in_contact": True,
        "good": not deep, "faults": f"a hand {row['depth_mm']:.1f} mm deep" if deep else "",
        "hold": held, "hold_directions": 6 if held else int(random.integers(0, 6)),
        "hold_moved_cm": float(random.uniform(0, 1.5) if held else random.uniform(2, 10)),
        "hold_turned_deg": float(random.uniform(0, 8) if held else random.uniform(5, 60)),
        "hold_force_n": 35.0, "hold_closing_cm": 0.3,
        "hold_worst_direction": "-z",
        "instability": float(random.uniform(0, 0.2) + (not held) * 0.1),
        "static": bool(static), "static_directions": 6 if static else 4,
    }  # fmt: skip
    if not tested:
        row |= dict.fromkeys(key for key in row if key.startswith(("hold", "squeeze")))
    return row
