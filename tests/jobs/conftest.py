import pytest
import torch

from bghop.drawing.worker import SheetWorker
from bghop.geometry.transforms import rigid
from bghop.hands.model import HandParameters
from bghop.synthesis.synthesize import Synthesis
from small_prior import write_small_prior
from small_scenes import entries, hand_model, lidded, records

__all__ = ["entries", "hand_model", "lidded", "records"]


class FakeSynthesizer:
    """Two open hands beside the object, at once; counts its calls."""

    def __init__(self):
        self.calls = []

    def __call__(self, mesh, *, hand_model, job, up, progress):
        num = job.num
        self.calls.append((mesh.name, num, job.seed, up))
        rest = hand_model.rest_parameters(num)
        middle = torch.from_numpy(mesh.bounds.mean(0)).float()
        side = torch.tensor([-1.0, 1.0])
        gap = float(mesh.extents[2]) / 2 + 0.06 + 0.01 * torch.arange(num)
        # Palms face the object from above and below.
        R = torch.stack(
            [torch.tensor([[1.0, 0, 0], [0, 0, -sign], [0, sign, 0]]) for sign in side.tolist()]
        )
        t = torch.zeros(num, 2, 3)
        t[..., 0] = 0.08 * side
        t[..., 2] = side * gap[:, None]
        if progress is not None:
            progress(1, 1)
        return Synthesis(
            hands=HandParameters(
                present=rest.present.clone(),
                T_object_hand=rigid(R.expand(num, 2, 3, 3), t + middle),
                pose=rest.pose.clone(),
                shape=rest.shape.clone(),
            ),
            energy=torch.arange(num).float(),
            terms={"pad_contact": torch.zeros(num)},
        )


class FakeSheetWorker(SheetWorker):
    """No window: the job's files are tested, not the picture."""

    note = ""

    def __init__(self):
        pass

    def request(self, cells, **_):
        self.num = len(cells)

    def request_strip(self, frames, captions):
        assert len(frames) == len(captions)
        self.num = len(frames)

    def request_progress(self, rows, captions):
        assert all(len(row) == len(captions) for row in rows)
        self.num = f"{len(rows)} x {len(captions)}"

    def answer(self):
        return b"\x89PNG of " + str(self.num).encode()

    def close(self):
        pass


@pytest.fixture
def fake_synthesizer():
    return FakeSynthesizer()


@pytest.fixture
def no_window(monkeypatch):
    """The class of the workers that draw nothing, for tests that change them."""
    monkeypatch.setattr("bghop.jobs.result_writer.SheetWorker", FakeSheetWorker)
    return FakeSheetWorker


@pytest.fixture
def box_files(tmp_path):
    """Makes `num` box files of different sizes below `tmp_path/in`."""
    import trimesh

    def make(num):
        folder = tmp_path / "in"
        folder.mkdir(exist_ok=True)
        paths = []
        for k in range(num):
            path = folder / f"box{k}.ply"
            trimesh.creation.box((0.10 + 0.01 * k, 0.12, 0.08)).export(path)
            paths.append(str(path))
        return tuple(paths)

    return make


@pytest.fixture(scope="session")
def draws_nothing():
    """The class of such workers, for fixtures that last longer than a test."""
    return FakeSheetWorker


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory):
    """A folder with a prior that knows one box and nothing of hands."""
    return write_small_prior(tmp_path_factory.mktemp("prior") / "checkpoint")
