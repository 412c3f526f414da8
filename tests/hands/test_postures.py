import torch

from bghop.hands.open_hand import load_open_hand
from bghop.hands.postures import Postures


def test_limits_are_taken_for_uniform_spreads():
    limits = load_open_hand().anatomy.limits.double()
    postures = Postures.within(limits)
    torch.testing.assert_close(postures.mean, limits.mean(-1))
    wide = (limits[..., 1] - limits[..., 0]) / 12**0.5
    torch.testing.assert_close(postures.spread, wide.clamp_min(0.02))


def test_hands_say_their_mean_and_covariance():
    """Against torch's own covariance; every spread is 0.05 rad wider."""
    angles = torch.randn(500, 15, 3, generator=torch.Generator().manual_seed(0)).cumsum(1) / 10
    postures = Postures.of(angles)
    torch.testing.assert_close(postures.mean.float(), angles.mean(0))
    for finger in range(5):
        own = angles[:, 3 * finger : 3 * finger + 3].flatten(1).double().T.cov()
        found = torch.linalg.inv(postures.precision[finger])
        torch.testing.assert_close(found, own + 0.05**2 * torch.eye(9, dtype=torch.float64))


def test_one_hand_is_enough_for_a_law():
    angles = torch.full((1, 15, 3), 0.3)
    postures = Postures.of(angles)
    torch.testing.assert_close(postures.mean.float(), angles[0])
    torch.testing.assert_close(postures.spread.float(), torch.full((15, 3), 0.05))


def test_a_law_goes_to_a_device():
    postures = Postures.of(torch.zeros(1, 15, 3)).to("meta")
    assert {value.device.type for value in vars(postures).values()} == {"meta"}
