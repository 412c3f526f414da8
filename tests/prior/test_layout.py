import pytest
import torch

from bghop.prior.layout import RELEASED_ORDER, ChannelLayout, JointLayout, LatentParts

LAYOUTS = [
    ChannelLayout(object_channels=3, resolution=4),
    JointLayout(object_channels=3, resolution=4),
]


def parts_of(layout, batch=2):
    generator = torch.Generator().manual_seed(0)
    grid = torch.randn(batch, 3, 4, 4, 4, generator=generator)
    shape = (2, 21, 3) if isinstance(layout, JointLayout) else (2, 20, 4, 4, 4)
    return LatentParts(grid, torch.randn(batch, *shape, generator=generator))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_unpack_is_the_inverse_of_pack(layout):
    parts = parts_of(layout)
    latent = layout.pack(parts)
    assert latent.shape[1:] == layout.shape
    for there, back in zip(parts, layout.unpack(latent), strict=True):
        assert torch.equal(there, back)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_spread_reaches_every_number_of_its_part_and_no_other(layout):
    numbers = torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    spread = layout.spread(numbers).expand(2, *layout.shape)
    thing, hands = layout.unpack(spread)
    for row in range(2):
        assert (thing[row] == numbers[row, 0]).all()
        assert (hands[row, 0] == numbers[row, 1]).all()
        assert (hands[row, 1] == numbers[row, 2]).all()


@pytest.mark.parametrize("layout", LAYOUTS)
def test_means_are_those_of_the_parts(layout):
    parts = parts_of(layout)
    means = layout.means(layout.pack(parts))
    wanted = [parts.object.flatten(1).mean(1), *parts.hands.flatten(2).mean(2).unbind(1)]
    torch.testing.assert_close(means, torch.stack(wanted, dim=1))


def test_the_released_order_is_object_right_left():
    order = ChannelLayout(object_channels=3).to_order(RELEASED_ORDER)
    assert order[:3] == [0, 1, 2]
    assert order[3:23] == list(range(23, 43))  # their right hand, ours last
    assert order[23:] == list(range(3, 23))
    assert sorted(order) == list(range(43))
