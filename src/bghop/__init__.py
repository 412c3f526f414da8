"""bghop: two human hands and one object.

Public names are resolved on first use, so that `import bghop` (and `bghop --help`) loads no torch.
"""

import importlib
from typing import Any

from bghop.version import __version__

# name -> module that defines it; docs/api.md lists the same names (tests/test_public_api.py).
_PUBLIC = {
    "Mesh": "bghop.geometry.mesh",
    "MeshQuery": "bghop.geometry.mesh",
    "load_mesh": "bghop.geometry.loading",
    "SdfGrid": "bghop.geometry.sdf",
    "sdf_from_mesh": "bghop.geometry.sdf",
    "extract_surface": "bghop.geometry.isosurface",
    "ArticulatedObject": "bghop.geometry.articulated",
    "HandModel": "bghop.hands.model",
    "HandParameters": "bghop.hands.model",
    "PosedHands": "bghop.hands.model",
    "load_open_hand": "bghop.hands.open_hand",
    "load_mano": "bghop.hands.mano",
    "GridSpec": "bghop.fields.grid_spec",
    "hand_field": "bghop.fields.hand_field",
    "recover_joints": "bghop.fields.multilateration",
    "recover_hands": "bghop.fields.recover",
    "UNet3D": "bghop.prior.unet",
    "VQVAE": "bghop.prior.vqvae",
    "import_released": "bghop.prior.released",
    "Interaction": "bghop.interaction",
    "Prior": "bghop.prior.prior",
    "load_prior": "bghop.prior.checkpoint",
    "SampleOptions": "bghop.prior.sampling",
    "sample_interactions": "bghop.synthesis.from_prior",
    "sample_hands": "bghop.synthesis.from_prior",
    "complete": "bghop.synthesis.completion",
    "grasps_from_prior": "bghop.synthesis.prior_grasps",
    "mixed_grasps": "bghop.synthesis.prior_grasps",
    "refine_hands": "bghop.synthesis.refine",
    "best_hands": "bghop.synthesis.refine",
    "RefineOptions": "bghop.synthesis.refine",
    "distill": "bghop.synthesis.score_distillation",
    "synthesize": "bghop.synthesis.synthesize",
    "Synthesis": "bghop.synthesis.synthesize",
    "SynthesizeOptions": "bghop.synthesis.synthesize",
    "measure_grasp": "bghop.evaluation.measure",
    "solid_of_mesh": "bghop.evaluation.measure",
    "GraspMetrics": "bghop.evaluation.metrics",
    "faults": "bghop.evaluation.ranking",
    "measure_all": "bghop.evaluation.measure",
    "hold_test": "bghop.physics.hold",
    "hold_tests": "bghop.physics.hold",
    "hold_film": "bghop.physics.hold",
    "HoldResult": "bghop.physics.hold",
    "HoldSettings": "bghop.physics.settings",
    "HandForces": "bghop.physics.settings",
    "object_set": "bghop.objects.sets",
    "GraspJob": "bghop.jobs.grasp_options",
    "run_grasp_job": "bghop.jobs.grasp",
    "read_grasps": "bghop.jobs.grasps_file",
    "Grasps": "bghop.jobs.grasps_file",
    "read_interaction": "bghop.jobs.interaction_file",
    "SampleJob": "bghop.jobs.prior_options",
    "run_sample_job": "bghop.jobs.interactions",
    "CompleteJob": "bghop.jobs.prior_options",
    "run_complete_job": "bghop.jobs.interactions",
    "EvaluateJob": "bghop.jobs.evaluate_options",
    "run_evaluate_job": "bghop.jobs.evaluate",
    "ImportJob": "bghop.jobs.import_checkpoint",
    "run_import_job": "bghop.jobs.import_checkpoint",
    "Records": "bghop.data.record",
    "read_records": "bghop.data.record_file",
    "write_records": "bghop.data.record_file",
    "ObjectStore": "bghop.data.objects",
    "object_from_mesh": "bghop.data.objects_from_mesh",
    "read_objects": "bghop.data.objects_file",
    "write_objects": "bghop.data.objects_file",
    "SceneBuilder": "bghop.data.scene",
    "records_from_results": "bghop.jobs.records",
    "TrainPrior": "bghop.training.prior",
    "train_prior": "bghop.training.prior",
    "TrainAutoencoder": "bghop.training.autoencoder",
    "train_autoencoder": "bghop.training.autoencoder",
    "BghopError": "bghop.errors",
    "MeshError": "bghop.errors",
    "HandModelError": "bghop.errors",
    "ResultError": "bghop.errors",
    "OptionError": "bghop.errors",
    "DrawingError": "bghop.errors",
    "PhysicsError": "bghop.errors",
    "DataError": "bghop.errors",
    "TrainingError": "bghop.errors",
    "CheckpointError": "bghop.errors",
}

__all__ = ["__version__", *_PUBLIC]  # noqa: PLE0604  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        msg = f"module 'bghop' has no attribute {name!r}; public names: {', '.join(__all__)}"
        raise AttributeError(msg)
    return getattr(importlib.import_module(_PUBLIC[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
