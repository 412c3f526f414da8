"""Adam without torch's class: the same numbers, and no compiler."""

import subprocess
import sys

import torch

from bghop.synthesis.adam import Adam


def test_steps_are_those_of_torchs_adam():
    generator = torch.Generator().manual_seed(0)
    start = [torch.randn(shape, generator=generator) for shape in ((3, 2), (5,))]
    ours, theirs = ([x.clone().requires_grad_() for x in start] for _ in range(2))
    mine = Adam(ours, betas=(0.8, 0.95))
    torchs = torch.optim.Adam(
        [{"params": [x], "lr": 0.0} for x in theirs], betas=(0.8, 0.95), foreach=False
    )
    for step in range(20):
        rates = (0.1 / (1 + step), 0.02)
        for leaves in (ours, theirs):
            for leaf in leaves:
                leaf.grad = None
            sum(((x - 1) ** 4).sum() for x in leaves).backward()
        mine.step(rates)
        for group, rate in zip(torchs.param_groups, rates, strict=True):
            group["lr"] = rate
        torchs.step()
    for mine_, their_ in zip(ours, theirs, strict=True):
        assert torch.equal(mine_, their_)


def test_a_leaf_without_gradient_stays():
    first, second = torch.ones(2, requires_grad=True), torch.ones(2, requires_grad=True)
    adam = Adam([first, second], betas=(0.9, 0.99))
    first.sum().backward()
    adam.step((0.5, 0.5))
    assert torch.equal(second, torch.ones(2))
    assert not torch.equal(first, torch.ones(2))
    adam.forget_gradients()
    assert first.grad is None


def test_the_compiler_is_not_loaded():
    code = (
        "import sys, torch\n"
        "from bghop.synthesis.adam import Adam\n"
        "leaf = torch.ones(2, requires_grad=True)\n"
        "adam = Adam([leaf], betas=(0.9, 0.99))\n"
        "leaf.sum().backward()\n"
        "adam.step((0.1,))\n"
        "sys.exit('torch._dynamo' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
