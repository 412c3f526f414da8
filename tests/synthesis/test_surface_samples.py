"""Samples of the surface: on it, outward, also where an object is thinner than the grid's cells."""

import numpy as np
import torch

from bghop.geometry.mesh import MeshQuery
from bghop.geometry.sdf import sdf_from_mesh
from bghop.objects.catalog import FAMILIES
from bghop.objects.seeds import training_rng
from bghop.synthesis.surface import sample_surface


def test_samples_lie_on_the_surface_and_look_outward(box_mesh, box_sdf):
    samples = sample_surface(box_mesh, box_sdf, 300, np.random.default_rng(0))
    query = MeshQuery(box_mesh)
    points = samples.points.double().numpy()
    assert len(points) == 300
    assert np.abs(query.signed_distances(points)).max() < 1e-6
    assert (query.signed_distances(points + 0.004 * samples.normals.double().numpy()) > 0).all()


def test_strings_thinner_than_a_cell_have_directions_or_no_samples():
    """The strings of a racket, 5 mm cells: a hand with no direction has no start."""
    family = FAMILIES["racket"]
    mesh = family.mesh(family.sample(training_rng(0, 87, 0)))
    sdf = sdf_from_mesh(mesh, resolution=80)
    samples = sample_surface(mesh, sdf, 3000, np.random.default_rng(0))
    length = samples.normals.norm(dim=-1)
    torch.testing.assert_close(length, torch.ones_like(length))
