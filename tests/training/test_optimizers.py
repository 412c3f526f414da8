import pytest
import torch
from torch import nn

from bghop.errors import OptionError
from bghop.training.config import LoopConfig
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


def test_unknown_optimizers_are_refused():
    with pytest.raises(OptionError, match="unknown optimizer 'sgd': use one of adamw, muon"):
        LoopConfig(optimizer="sgd")
