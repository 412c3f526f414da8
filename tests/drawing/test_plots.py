import io
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from bghop.drawing.plots import (
    Point,
    _label_places,
    plot_depth_histogram,
    plot_hold_by_object,
    plot_left_right,
    plot_time_quality,
)
from bghop.errors import DrawingError


def pixels(png):
    picture = Image.open(io.BytesIO(png))
    assert picture.format == "PNG"
    return np.asarray(picture.convert("RGB")).astype(int)


def near(png, color, tolerance=12):
    """Where a picture has a colour."""
    return np.abs(pixels(png) - np.array(color)).max(-1) <= tolerance


BAR, ONE_HAND, BEST = (185, 212, 232), (213, 94, 0), (0, 114, 178)


def bars(mean, best, one_hand):
    names = [f"object {k}" for k in range(len(mean))]
    return plot_hold_by_object(names, np.array(mean), np.array(best), np.array(one_hand))


def test_bars_are_as_long_as_the_shares():
    def longest(png):
        # Rows of the diagram only: the legend below has a swatch of the same colour.
        return near(png, BAR)[: pixels(png).shape[0] * 2 // 3].sum(1).max()

    half, whole = (longest(bars([share, 0.0], [1.0, 1.0], [0.0, 0.0])) for share in (0.5, 1.0))
    assert whole / half == pytest.approx(2, rel=0.03)


def test_objects_are_sorted_from_the_easiest_to_the_hardest():
    png = bars([0.2, 0.9, 0.6], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0])
    lengths = near(png, BAR)[: pixels(png).shape[0] * 3 // 4].sum(1)
    lengths = lengths[lengths > 60]  # rows of pixels through a bar
    assert len(lengths) > 30
    assert (np.diff(lengths) <= 2).all()


def test_one_more_object_makes_the_picture_higher_and_not_wider():
    sizes = [pixels(bars([0.5] * num, [1.0] * num, [0.1] * num)).shape for num in (3, 4, 40)]
    assert sizes[0][1] == sizes[1][1] == sizes[2][1]
    assert sizes[1][0] - sizes[0][0] == pytest.approx((sizes[2][0] - sizes[0][0]) / 37, abs=1)


def test_missing_numbers_leave_their_mark_out():
    without = bars([0.5, 0.4], [np.nan, np.nan], [np.nan, np.nan])
    given = bars([0.5, 0.4], [0.8, 0.8], [0.2, 0.2])
    assert near(without, ONE_HAND).sum() < 0.5 * near(given, ONE_HAND).sum()  # legend remains
    assert near(without, BEST).sum() < 0.5 * near(given, BEST).sum()


def test_points_on_the_diagonal_have_their_mean_there():
    values = np.linspace(0.1, 0.9, 9)
    png = plot_left_right({"contact": (values, values), "depth": (values, np.zeros(9))})
    picture = near(png, ONE_HAND)
    half = picture.shape[1] // 2
    below = picture.shape[0] // 3  # under the legends
    # The mean of equal hands is in the middle, that of right hands at zero is at the bottom.
    sides = (picture[below:, :half], picture[below:, half:])
    heights = [np.argwhere(side)[:, 0].mean() for side in sides]
    assert heights[1] > heights[0] + 0.25 * picture.shape[0]


def point(name, seconds, hold):
    return Point(name=name, seconds=seconds, hold=hold, low=hold - 0.1, high=hold + 0.1, best=None)


def test_better_methods_are_higher_and_slower_ones_farther_right():
    png = plot_time_quality([point("slow", 2.0, 0.9), point("fast", 0.5, 0.4)])
    # Colours follow the order given.
    slow, fast = (np.argwhere(near(png, color)).mean(0) for color in (BEST, ONE_HAND))
    assert slow[0] < fast[0]
    assert slow[1] > fast[1]


def test_a_line_says_where_good_ends_and_missing_depths_are_left_out():
    depths = np.array([0.1, 0.5, np.nan, 2.0, 50.0])
    png = plot_depth_histogram({"optimize": depths}, limit_mm=3.0)
    assert png == plot_depth_histogram({"optimize": depths[~np.isnan(depths)]}, limit_mm=3.0)
    assert png != plot_depth_histogram({"optimize": depths}, limit_mm=2.0)


def test_equal_numbers_make_equal_files():
    assert bars([0.5], [1.0], [0.0]) == bars([0.5], [1.0], [0.0])
    assert bars([0.5], [1.0], [0.0]) != bars([0.6], [1.0], [0.0])


def test_nothing_measured_is_still_a_picture():
    nothing = np.full(3, np.nan)
    assert pixels(plot_depth_histogram({"a": nothing})).size
    assert pixels(plot_left_right({"depth": (nothing, nothing)})).size
    assert pixels(plot_time_quality([])).size


def test_matplotlib_is_imported_only_to_draw():
    command = "import sys, bghop.drawing.plots; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", command], check=False).returncode == 0


def test_without_matplotlib_the_error_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(DrawingError, match="need matplotlib: pip install"):
        bars([0.5], [1.0], [0.0])


def test_names_of_methods_close_together_do_not_cover_each_other():
    apart = [point("optimize", 1.0, 0.8), point("reference", 3.0, 0.8)]
    close = [point("optimize", 2.9, 0.8), point("reference", 3.0, 0.8)]
    inked = [near(plot_time_quality(points), ONE_HAND, 60).sum() for points in (apart, close)]
    # The name in the second colour is as whole beside the other as it is alone.
    assert inked[1] > 0.9 * inked[0]
    (first, second) = _label_places(close, 4.0)
    assert abs(first[1] - second[1]) >= 7


def test_names_stay_inside_the_diagram():
    for x, _ in _label_places([point("random", 0.0, 0.5), point("recovered", 4.0, 0.5)], 4.0):
        assert 0 < x < 4


def test_the_histograms_of_all_methods_share_their_heights_and_none_is_cut():
    # All depths alike against spread over two classes: one bar is twice as high as the others.
    alike, spread = np.full(8, 0.1), np.array(4 * [0.1] + 4 * [2.0])
    png = plot_depth_histogram({"a": spread, "b": alike}, limit_mm=3.0)
    heights = [near(png, color).sum(0).max() for color in (BEST, ONE_HAND)]
    assert heights[1] / heights[0] == pytest.approx(2, rel=0.05)
