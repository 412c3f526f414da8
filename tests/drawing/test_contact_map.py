"""Both palms towards the reader: thumbs outside, the left one at the left."""

import io

import numpy as np
import pytest
from PIL import Image

from bghop.drawing.contact_map import plot_contact_maps
from bghop.hands.open_hand import load_open_hand

pytest.importorskip("matplotlib")


def test_thumbs_are_outside_and_contacts_are_bright():
    model = load_open_hand()
    share = np.zeros((2, model.num_vertices))
    share[:, model.regions.pads[0].numpy()] = 1.0
    png = plot_contact_maps(model.vertices_rest.double().numpy(), share)
    picture = np.asarray(Image.open(io.BytesIO(png)).convert("RGB"), dtype=np.int64)
    picture = picture[:, : int(0.8 * picture.shape[1])]  # without the scale
    yellow = np.abs(picture - [253, 231, 37]).max(-1) < 12
    dark = np.abs(picture - [68, 1, 84]).max(-1) < 12
    middle = np.nonzero(dark)[1]
    low, high = middle.min(), middle.max()
    columns = np.nonzero(yellow)[1]
    assert len(columns) > 20
    centre = (low + high) / 2
    left, right = columns[columns < centre], columns[columns >= centre]
    assert left.mean() < low + 0.12 * (high - low)
    assert right.mean() > high - 0.12 * (high - low)
