"""Result folders of `bghop grasp` as records to train on."""

from collections.abc import Sequence
from pathlib import Path

import torch

from bghop.data.record import Records
from bghop.errors import DataError
from bghop.hands.model import HandParameters
from bghop.jobs.grasps_file import read_grasps


def records_from_results(
    folders: Sequence[str | Path], *, split: str = "train", most: int | None = None
) -> Records:
    """The grasps in result folders; a folder's name is its object's key.

    Args:
        folders: each with a `grasps.json` of one object.
        split: of all of these objects.
        most: the best so many of each; None for all.

    Raises:
        DataError: No folder, folders of one name, or results of different hand models.
        ResultError: A folder has no readable results.
    """
    read = [(Path(folder), read_grasps(folder)) for folder in folders]
    names = [folder.resolve().name for folder, _ in read]
    if not names or len(set(names)) != len(names):
        raise DataError("result folders are missing or of one name: their names are object keys")
    models = {
        (str(g.header["hand_model"]["name"]), tuple(g.header["hand_model"]["shape_names"]))
        for _, g in read
    }
    if len(models) != 1:
        raise DataError("results of different hand models: give folders of one model at a time")
    ((hand_model, shape_names),) = models
    counts = [len(g.metrics) if most is None else min(most, len(g.metrics)) for _, g in read]
    rows = [(k, i) for k, count in enumerate(counts) for i in range(count)]
    headers = [g.header for _, g in read]
    texts = [str(h.get("text") or h["object"]["name"]) for h in headers]

    def joined(name: str) -> torch.Tensor:
        pairs = zip(read, counts, strict=True)
        return torch.cat([getattr(g.hands, name)[:count] for (_, g), count in pairs])

    return Records(
        id=tuple(f"{names[k]}/{i:03d}" for k, i in rows),
        object=tuple(names[k] for k, _ in rows),
        text=tuple(texts[k] for k, _ in rows),
        split=(split,) * len(rows),
        source=tuple(str(headers[k].get("method", "bghop grasp")) for k, _ in rows),
        joint_value=torch.zeros(len(rows)),
        hands=HandParameters(
            present=joined("present"),
            T_object_hand=joined("T_object_hand"),
            pose=joined("pose"),
            shape=joined("shape"),
        ),
        hand_model=hand_model,
        shape_names=shape_names,
    )
