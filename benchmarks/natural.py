"""How like the data are the hands of each method? Postures, and places on the body.

Reads results of `bghop evaluate` (one or more folders) and the records that the prior was trained
with. For each method, in nats and shares:

* `posture`: mean log-likelihood of a hand's 45 anatomical angles under a normal distribution with
  the data's mean and covariance (0.05 rad added to every deviation), less that of the data
  themselves: 0 is as usual as the data's own hands are, below is stranger;
* `nearest`: mean distance (mm, 21 joints in the wrist's frame) to the nearest hand of the data;
* `behind`: share of pairs whose forearms come from one side (their directions less than 90 degrees
  apart), as a body's do;
* `upright`: share of hands whose thumb does not point down (objects stand with z up).

The data come from an optimiser whose energy has a posture term, as the methods' has: what is
like them is not thereby like people. One JSON line a method, and one of the data.

    python benchmarks/natural.py --results OUT [OUT ...] --records data/two/records.parquet
"""

import argparse
import json
from collections import defaultdict
from pathlib import Path

import pyarrow.parquet as pq
import torch
from torch import Tensor

from bghop.data.record_file import read_records
from bghop.geometry.transforms import mirror_rotvec
from bghop.hands.axes import forearm_directions
from bghop.hands.model import HandModel, HandParameters
from bghop.hands.open_hand import load_open_hand

SOFT = 0.05


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--results", type=Path, nargs="+", required=True)
    parser.add_argument("--records", type=Path, required=True)
    parser.add_argument("--most", type=int, default=4000, help="records that are looked at")
    options = parser.parse_args()
    model = load_open_hand()
    records = read_records(options.records)
    rows = torch.linspace(0, len(records) - 1, min(options.most, len(records))).round().long()
    data = records.hands.rows(rows)
    known = Known(model, data)
    half = len(rows) // 2
    even, odd = data.rows(torch.arange(half) * 2), data.rows(torch.arange(half) * 2 + 1)
    print(json.dumps({"benchmark": "natural", "method": "data", **known.told(odd, among=even)}))
    by_method: dict[str, list[dict]] = defaultdict(list)
    for folder in options.results:
        for row in pq.read_table(folder / "results.parquet").to_pylist():
            by_method[row["method"]].append(row)
    for method, found in by_method.items():
        print(json.dumps({"benchmark": "natural", "method": method, **known.told(hands_of(found))}))


class Known:
    """The data's hands, left ones mirrored to right ones."""

    def __init__(self, model: HandModel, hands: HandParameters) -> None:
        self.model, self.hands = model, hands
        angles = self.angles(hands)
        self.mean = angles.mean(0)
        self.covariance = angles.T.cov() + SOFT**2 * torch.eye(angles.shape[1])
        self.usual = float(self.likelihood(angles).mean())

    def angles(self, hands: HandParameters) -> Tensor:
        """45 numbers a hand, radians."""
        return self.model.angles_from_pose(hands.pose).flatten(2)[hands.present].double()

    def likelihood(self, angles: Tensor) -> Tensor:
        """Of each hand, nats."""
        normal = torch.distributions.MultivariateNormal(
            self.mean, covariance_matrix=self.covariance.double()
        )
        return normal.log_prob(angles)

    def joints(self, hands: HandParameters) -> Tensor:
        """Of right hands in the wrist's frame, and left hands as right ones."""
        pose = hands.pose.clone()
        pose[:, 0] = mirror_rotvec(pose[:, 0])
        right = torch.cat([pose[:, 0][hands.present[:, 0]], pose[:, 1][hands.present[:, 1]]])
        rest = self.model.rest_parameters(len(right))
        both = torch.stack([torch.zeros_like(right), right], dim=1)
        with torch.no_grad():
            found = self.model.joints(
                HandParameters(
                    present=rest.present, T_object_hand=rest.T_object_hand, pose=both,
                    shape=rest.shape,
                )
            )  # fmt: skip
        return found[:, 1]

    def told(self, hands: HandParameters, among: HandParameters | None = None) -> dict[str, float]:
        """What is printed of some hands."""
        likelihood = self.likelihood(self.angles(hands))
        mine, theirs = self.joints(hands), self.joints(among or self.hands)
        nearest = torch.stack(
            [(theirs - each).norm(dim=-1).mean(-1).amin() for each in mine[:1000]]
        )
        R = hands.T_object_hand[..., :3, :3]
        forearm = forearm_directions(R)
        pairs = hands.present.all(-1)
        together = (forearm[:, 0] * forearm[:, 1]).sum(-1) > 0
        return {
            "hands": int(hands.present.sum()),
            "posture": round(float(likelihood.mean()) - self.usual, 2),
            "nearest_mm": round(1000 * float(nearest.mean()), 2),
            "behind": round(float(together[pairs].float().mean()), 3),
            "upright": round(float((R[..., 2, 2] > 0)[hands.present].float().mean()), 3),
        }  # fmt: skip


def hands_of(rows: list[dict]) -> HandParameters:
    def column(name: str, shape: tuple[int, ...]) -> Tensor:
        return torch.stack(
            [
                torch.tensor([row[f"{name}_left"], row[f"{name}_right"]]).reshape(2, *shape)
                for row in rows
            ]
        )

    T = column("T_object", (4, 4))
    return HandParameters(
        present=torch.ones(len(rows), 2, dtype=torch.bool),
        T_object_hand=T,
        pose=column("pose", (15, 3)),
        shape=column("shape", (-1,)),
    )


if __name__ == "__main__":
    main()
