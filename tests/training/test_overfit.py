"""A prior of 32 interactions knows them: the whole way from files through training to samples."""

import pytest
import torch

from bghop.data.augment import NO_AUGMENTATION
from bghop.data.objects_file import read_objects, write_objects
from bghop.data.objects_from_mesh import REACH, object_from_mesh
from bghop.data.record import Records, read_records, write_records
from bghop.data.scene import SceneBuilder
from bghop.geometry.rotations import random_rotations
from bghop.geometry.shapes import box
from bghop.geometry.transforms import rigid
from bghop.hands.model import HandParameters
from bghop.hands.open_hand import load_open_hand
from bghop.prior.checkpoint import load_prior
from bghop.prior.prior import Known
from bghop.prior.sampling import SampleOptions
from bghop.training.cases import CaseWeights
from bghop.training.config import LoopConfig
from bghop.training.prior import TrainPrior, train_prior
from bghop.training.prior_task import PriorTaskConfig
from bghop.training.sources import SourceConfig

NUM = 32
NAMES = ("mug", "book", "bowl", "tray", "camera", "hammer", "vase", "pot")
STEPS = 6500


def write_data(folder):
    """Boxes of 32 sizes with words and random hands: nothing to learn but each of them."""
    model, generator = load_open_hand(), torch.Generator().manual_seed(0)
    sizes = 0.06 + 0.22 * torch.rand(NUM, 3, generator=generator)
    entries = [object_from_mesh(f"{i}", box(tuple(size.tolist()))) for i, size in enumerate(sizes)]
    R = random_rotations(2 * NUM, generator=generator).view(NUM, 2, 3, 3)
    hands = HandParameters(
        present=torch.ones(NUM, 2, dtype=torch.bool),
        T_object_hand=rigid(R, 0.10 * torch.randn(NUM, 2, 3, generator=generator)),
        pose=model.random_poses(NUM, generator=generator),
        shape=torch.zeros(NUM, 2, model.num_shape),
    )
    records = Records(
        id=tuple(map(str, range(NUM))), object=tuple(map(str, range(NUM))),
        text=tuple(NAMES[i % len(NAMES)] for i in range(NUM)), split=("train",) * NUM,
        source=("random",) * NUM, joint_value=torch.zeros(NUM), hands=hands,
        hand_model=model.name, shape_names=model.shape_names,
    )  # fmt: skip
    write_records(folder / "records.parquet", records)
    write_objects(folder / "objects.parquet", entries, reach=REACH)


@pytest.mark.slow
def test_32_interactions_are_learned_by_heart(tmp_path):
    """About nine minutes on two idle cores."""
    write_data(tmp_path)
    files = {name: tmp_path / f"{name}.parquet" for name in ("records", "objects")}
    cases = CaseWeights(joint=0.35, object=0.4, object_and_hand=0.2, hands=0.05, single_hand=0.0)
    train_prior(
        TrainPrior(
            data=SourceConfig(**files, validation_split="", augment=NO_AUGMENTATION),
            network={"width": 128, "depth": 4, "heads": 2},
            task=PriorTaskConfig(cases=cases),
            loop=LoopConfig(
                steps=STEPS, batch=16, micro=16, optimizer="muon", learning_rate=6e-3, warmup=50,
                clip=10.0,
                ema=0.998, precision="float32", save_every=STEPS, sample_every=0,
            ),
        ),
        tmp_path / "run",
    )  # fmt: skip
    prior, model = load_prior(tmp_path / "run" / "prior"), load_open_hand()
    stage = prior.codec.first_stage
    scenes = SceneBuilder(
        read_records(files["records"]), read_objects(files["objects"]), model, prior.codec.spec,
        augment=NO_AUGMENTATION, truncation=stage.truncation,
    ).scenes(range(NUM))  # fmt: skip
    condition = prior.condition([NAMES[i % len(NAMES)] for i in range(NUM)])
    options = SampleOptions(steps=25, guidance=1.0)

    def joint_error_mm(known):
        drawn = prior.sample(condition, model, known=known, options=options)
        joints = prior.codec.layout.unpack(drawn.latent).hands * prior.codec.joint_scale
        return 1000 * (joints - scenes.joints).norm(dim=-1), drawn

    error, drawn = joint_error_mm(Known(sdf=scenes.sdf))
    assert error.mean() < 5
    fitted = 1000 * (model.joints(drawn.hands) - scenes.joints).norm(dim=-1)
    assert fitted.mean() < 5
    left = torch.tensor([[True, False]]).expand(NUM, 2)
    error, drawn = joint_error_mm(Known(sdf=scenes.sdf, joints=scenes.joints, hands=left))
    assert error[:, 1].mean() < 5
    assert error[:, 0].max() < 1e-3  # given: exactly, but for the unit's rounding
