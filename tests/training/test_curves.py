import sys
import types

import pytest

from bghop.training.curves import TRAIN_FILE, Curves, read_curve


def rows(first, last):
    return [{"step": float(k), "loss": 1 / k} for k in range(first, last + 1)]


def test_rows_beyond_the_resumed_step_and_a_torn_line_are_dropped(tmp_path):
    curves = Curves(tmp_path, step=0)
    curves.add(TRAIN_FILE, rows(1, 5))
    curves.close()
    with (tmp_path / TRAIN_FILE).open("a") as file:
        file.write("6,0.1")
    again = Curves(tmp_path, step=3)
    again.add(TRAIN_FILE, rows(4, 4))
    again.close()
    found = read_curve(tmp_path / TRAIN_FILE)
    assert [row["step"] for row in found] == [1, 2, 3, 4]
    assert found[2]["loss"] == pytest.approx(1 / 3, abs=1e-9)


def test_tensorboard_gets_the_same_numbers_if_it_is_there(tmp_path, monkeypatch):
    written = []

    class Board:
        def __init__(self, folder, purge_step):
            written.append((folder, purge_step))

        def add_scalar(self, name, value, step):
            written.append((name, value, step))

        def close(self):
            written.append("closed")

    module = types.ModuleType("torch.utils.tensorboard")
    module.SummaryWriter = Board
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", module)
    curves = Curves(tmp_path, step=7)
    curves.add(TRAIN_FILE, [{"step": 8.0, "loss": 0.5}])
    curves.close()
    assert written == [
        (str(tmp_path / "tensorboard"), 8),
        ("train/loss", 0.5, 8),
        "closed",
    ]
