import pytest
import torch
from torch import nn

from bghop.errors import OptionError
from bghop.training.config import LoopConfig
from bghop.training.muon import Muon, orthogonalised
from bghop.training.optimizers import make_optimizers
from bghop.training.state import Averages, load_state, save_state

MUON = LoopConfig(optimizer="muon", batch=4, micro=4)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.into = nn.Linear(3, 8)
        self.blocks = nn.ModuleList([nn.Linear(8, 8), nn.Linear(8, 8)])
        self.out = nn.Linear(8, 1)

    def forward(self, x):
        x = self.into(x)
        for block in self.blocks:
            x = x + block(x).tanh()
        return self.out(x)


def step(network, optimizers, seed):
    x = torch.randn(16, 3, generator=torch.Generator().manual_seed(seed))
    (network(x) - x.sum(1, keepdim=True)).square().mean().backward()
    for optimizer in optimizers:
        optimizer.step()
        optimizer.zero_grad()


def test_every_trainable_weight_has_one_optimizer_and_inner_matrices_have_muon():
    network = Net()
    network.out.bias.requires_grad_(False)
    muon, adamw = make_optimizers(network, MUON)
    moved = [[id(p) for g in o.param_groups for p in g["params"]] for o in (muon, adamw)]
    assert moved[0] == [id(block.weight) for block in network.blocks]
    everything = {id(p) for p in network.parameters() if p.requires_grad}
    assert set(moved[0]) | set(moved[1]) == everything
    assert not set(moved[0]) & set(moved[1])
    assert len(make_optimizers(network, LoopConfig())) == 1


@pytest.mark.parametrize("config", [MUON, LoopConfig()])
def test_a_saved_state_goes_on_to_the_same_weights(tmp_path, config):
    torch.manual_seed(0)
    network = Net()
    optimizers = make_optimizers(network, config)
    for seed in range(3):
        step(network, optimizers, seed)
    save_state(tmp_path, network, Averages.of(network), optimizers, {"step": 3, "seconds": 0.0})
    again = Net()
    others = make_optimizers(again, config)
    assert load_state(tmp_path, again, Averages.of(again), others) == {"step": 3, "seconds": 0.0}
    for seed in range(3, 6):
        step(network, optimizers, seed)
        step(again, others, seed)
    for mine, other in zip(network.parameters(), again.parameters(), strict=True):
        assert torch.equal(mine, other)


@pytest.mark.parametrize("shape", [(24, 16), (16, 40), (20, 20)])
def test_muon_takes_the_steps_of_torchs_own_in_better_precision(shape):
    torch.manual_seed(0)
    mine = nn.Parameter(torch.randn(shape))
    theirs = nn.Parameter(mine.detach().clone())
    ours = Muon([mine], lr=0.01, weight_decay=0.1)
    reference = torch.optim.Muon(
        [theirs], lr=0.01, weight_decay=0.1, adjust_lr_fn="match_rms_adamw"
    )
    begin = mine.detach().clone()
    for _ in range(5):
        mine.grad = torch.randn(shape)
        theirs.grad = mine.grad.clone()
        ours.step()
        reference.step()
    # Theirs is rounded to eight bits.
    assert (mine - theirs).abs().max() < 0.02 * (mine - begin).abs().max()


def test_orthogonalised_matrices_keep_their_directions_and_have_singular_values_near_one():
    torch.manual_seed(0)
    matrices = torch.randn(3, 12, 40, dtype=torch.float64)
    u, s, v = torch.linalg.svd(orthogonalised(matrices), full_matrices=False)
    assert s.min() > 0.65
    assert s.max() < 1.25
    u0, _, v0 = torch.linalg.svd(matrices, full_matrices=False)
    away = (u @ torch.diag_embed(s) @ v - u0 @ v0).norm(dim=(1, 2)) / 12**0.5
    assert away.max() < 0.35
    turned = orthogonalised(matrices.mT).mT
    torch.testing.assert_close(turned, orthogonalised(matrices))


def test_muon_leaves_matrices_without_gradient_where_they_are():
    still, moved = nn.Parameter(torch.ones(4, 4)), nn.Parameter(torch.ones(4, 4))
    moved.grad = torch.randn(4, 4)
    Muon([still, moved], lr=0.1, weight_decay=0.1).step()
    assert torch.equal(still, torch.ones(4, 4))
    assert not torch.equal(moved, torch.ones(4, 4))


def test_unknown_optimizers_are_refused():
    with pytest.raises(OptionError, match="unknown optimizer 'sgd': use one of adamw, muon"):
        LoopConfig(optimizer="sgd")
