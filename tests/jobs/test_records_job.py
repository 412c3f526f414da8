import json

import pytest
import torch
from test_grasps_file import random_grasps

from bghop.data.record_file import read_records, write_records
from bghop.errors import DataError
from bghop.geometry.rotations import random_rotations
from bghop.geometry.transforms import rigid
from bghop.jobs.grasps_file import grasps_to_json, read_grasps
from bghop.jobs.records import records_from_results


@pytest.fixture
def results(tmp_path):
    """Two folders of three grasps each; the second has one hand only and a prompt."""
    folders = []
    for k, name in enumerate(("mug", "pan")):
        present = torch.tensor([[True, k == 0]] * 3)
        grasps = random_grasps(present=present)
        R = random_rotations(6, generator=torch.Generator().manual_seed(k)).view(3, 2, 3, 3)
        grasps.hands.T_object_hand.copy_(rigid(R, torch.zeros(3, 2, 3)))
        grasps.header.update(object={"name": name}, text="wok" if k else "", method="optimize")
        (tmp_path / name).mkdir()
        content = json.dumps(grasps_to_json(grasps))
        (tmp_path / name / "grasps.json").write_text(content)
        folders.append(tmp_path / name)
    return folders


def test_results_become_records_that_can_be_written(results, tmp_path):
    records = records_from_results(results)
    assert records.id == tuple(f"{name}/{i:03d}" for name in ("mug", "pan") for i in range(3))
    assert records.object == ("mug",) * 3 + ("pan",) * 3
    assert records.text == ("mug",) * 3 + ("wok",) * 3
    assert records.source == ("optimize",) * 6
    assert records.hands.present[3:].tolist() == [[True, False]] * 3
    first = read_grasps(results[0]).hands
    assert torch.equal(records.hands.pose[:3], first.pose)
    write_records(tmp_path / "r.parquet", records)
    assert len(read_records(tmp_path / "r.parquet")) == 6


def test_the_best_so_many_of_each(results):
    assert records_from_results(results, most=1).id == ("mug/000", "pan/000")


def test_folders_of_one_name_are_refused(results):
    with pytest.raises(DataError, match="their names are object keys"):
        records_from_results([results[0], results[0]])
