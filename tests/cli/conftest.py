import pytest
import torch
import trimesh

from bghop.drawing.worker import SheetWorker
from bghop.geometry.transforms import rigid
from bghop.hands.model import HandParameters
from bghop.synthesis.synthesize import Synthesis
from small_prior import write_small_prior


def beside(mesh, *, hand_model, job, up, progress):
    """Instead of the optimiser: open hands at both sides of the object."""
    num = job.num
    rest = hand_model.rest_parameters(num)
    t = torch.tensor([[-0.3, 0.0, 0.0], [0.3, 0.0, 0.0]]).expand(num, 2, 3)
    progress(1, 1)
    return Synthesis(
        hands=HandParameters(
            present=rest.present,
            T_object_hand=rigid(torch.eye(3).expand(num, 2, 3, 3), t),
            pose=rest.pose,
            shape=rest.shape,
        ),
        energy=torch.arange(num).float(),
        terms={},
    )


class NoWorker(SheetWorker):
    note = ""

    def __init__(self):
        pass

    def request(self, cells, **_):
        pass

    def answer(self):
        return b"\x89PNG"

    def close(self):
        pass


@pytest.fixture
def fast_jobs(monkeypatch):
    monkeypatch.setattr("bghop.jobs.grasp.synthesizer_of", lambda _job: beside)
    monkeypatch.setattr("bghop.jobs.result_writer.SheetWorker", NoWorker)


@pytest.fixture
def box_file(tmp_path):
    path = tmp_path / "box.stl"
    trimesh.creation.box((0.1, 0.12, 0.08)).export(path)
    return str(path)


@pytest.fixture(scope="session")
def draws_nothing():
    """The class of workers that draw nothing, for fixtures that last longer than a test."""
    return NoWorker


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory):
    """A folder with a prior that knows one box and nothing of hands."""
    return str(write_small_prior(tmp_path_factory.mktemp("prior") / "checkpoint"))
