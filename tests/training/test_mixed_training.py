"""Two data sets on disk, of two hands and of one, to a prior: import, mix, train, load, sample."""

import pytest
import torch

from arctic_like import write_arctic, write_mano_files
from bghop.data.record_file import read_records
from bghop.data.scene import TRUNCATION
from bghop.fields.grid_spec import GridSpec
from bghop.jobs.data_import import run_import_job
from bghop.jobs.data_mix import MixDataJob, run_mix_job
from bghop.jobs.import_options import ImportDataJob
from bghop.prior.checkpoint import load_prior
from bghop.training.config import LoopConfig
from bghop.training.curves import TRAIN_FILE, read_curve
from bghop.training.prior import TrainPrior, train_prior
from bghop.training.prior_task import PriorTaskConfig
from bghop.training.seeds import RowOrder
from bghop.training.sheets import SheetConfig, sample_sheet
from bghop.training.sources import SourceConfig, load_sources
from foreign_like import write_dexycb


@pytest.fixture(scope="module")
def mixed(tmp_path_factory):
    """ARCTIC-like rows of two hands and DexYCB-like ones of a right hand, one to three."""
    base = tmp_path_factory.mktemp("mixed")
    mano = write_mano_files(base / "mano")
    roots = {
        "arctic": (write_arctic(base / "a"), ("s01/box*",)),
        "dexycb": (write_dexycb(base / "d"), ()),
    }
    with pytest.MonkeyPatch.context() as patch:
        # Made-up hands touch nothing; here they do.
        patch.setattr(
            "bghop.data.selection.contact_shares",
            lambda hands, *_args, **_options: torch.ones(hands.present.shape),
        )
        for name, (root, only) in roots.items():
            run_import_job(
                ImportDataJob(
                    source=name, root=root, out=base / name, mano=mano, share=0.0, workers=1,
                    split="own" if name == "dexycb" else "", only=only,
                )
            )  # fmt: skip
    folders = tuple(base / name for name in roots)
    run_mix_job(MixDataJob(folders=folders, out=base / "both", weights=(1.0, 3.0)))
    return base / "both", mano


@pytest.fixture(scope="module")
def config(mixed):
    folder, mano = mixed
    return TrainPrior(
        data=SourceConfig(
            records=folder / "records.parquet", objects=folder / "objects.parquet", mano=mano,
            validation_split="",
        ),
        preset="tiny",
        task=PriorTaskConfig(text_dropout=1.0),
        loop=LoopConfig(steps=3, batch=4, micro=4, warmup=1, sample_every=0),
    )  # fmt: skip


def sources(config):
    spec = GridSpec(frame="object", unit=config.half_extent)
    return load_sources(config.data, spec, torch.device("cpu"), truncation=TRUNCATION)


def test_rows_of_both_sets_come_with_their_shares_and_hands(mixed, config):
    folder, _ = mixed
    records = read_records(folder / "records.parquet").of_split("train")
    one_hand = torch.tensor([source == "dexycb" for source in records.source])
    assert 0 < int(one_hand.sum()) < len(records)
    assert torch.equal(records.hands.present[:, 0], ~one_hand)
    assert records.hands.present[:, 1].all()
    order = RowOrder(len(records), seed=0, weights=records.weight).rows(0, 40 * len(records))
    assert float(one_hand[order].float().mean()) == pytest.approx(0.75, abs=0.03)
    scenes = sources(config).train.scenes(torch.arange(len(records)))
    assert torch.equal(scenes.present, records.hands.present)
    assert scenes.sdf.isfinite().all()
    assert scenes.joints.isfinite().all()


def test_a_mixed_training_ends_in_a_prior_that_samples(config, tmp_path):
    assert train_prior(config, tmp_path / "run").finished
    curve = read_curve(tmp_path / "run" / TRAIN_FILE)
    assert [row["step"] for row in curve] == [1, 2, 3]
    assert all(0 < float(row["loss"]) < 100 for row in curve)
    prior = load_prior(tmp_path / "run" / "prior")
    assert prior.hand_model == "mano"
    train = sources(config).train
    sheet = sample_sheet(prior, train, train.hand_model, SheetConfig(scenes=3, steps=2))
    for sampled in sheet.sampled.values():
        # The last of the rows is DexYCB's: its left hand is absent, and stays so.
        assert sampled.hands.present.tolist() == [[True, True], [True, True], [False, True]]
        assert sampled.latent.isfinite().all()
        assert sampled.hands.pose[sampled.hands.present].isfinite().all()
