"""Checkpoint files are read as data: nothing that they name is imported, called or believed."""

import pickle
import sys
import zipfile

import pytest
import torch
from fabricated_checkpoint import Hostile, pickled, placeholder, rewritten, write_lightning
from safetensors.torch import save_file

from bghop.errors import CheckpointError
from bghop.prior.pickled_tensors import open_tensor_file


@pytest.fixture
def state():
    base = torch.arange(24.0).reshape(4, 6)
    return {
        "a.weight": torch.nn.Parameter(torch.randn(3, 4)),
        "b.half": torch.randn(5).half(),
        "b.brain": torch.randn(5).bfloat16(),
        "c.transposed": base.T,
        "c.slice": base[1:3, ::2],
        "d.whole": torch.tensor([[1, 2]]),
        "d.flag": torch.tensor([True, False]),
        "e.empty": torch.zeros(0, 3),
        "e.number": torch.tensor(2.5),
        "f.wide": placeholder((7, 5)),
    }


@pytest.fixture
def path(tmp_path, state):
    return write_lightning(tmp_path / "last.ckpt", state)


def test_tensors_are_those_that_torch_saved(path, state):
    file = open_tensor_file(path)
    assert list(file.shapes) == list(state)
    for name, tensor in state.items():
        read = file.read(name)
        assert file.shapes[name] == tuple(tensor.shape)
        assert read.dtype == tensor.dtype
        assert torch.equal(read, tensor.detach())
        assert read.is_contiguous()


def test_other_classes_become_nothing(path):
    file = open_tensor_file(path)
    assert "omegaconf_like" not in sys.modules
    assert "omegaconf_like.dictconfig.DictConfig" in file.not_run
    assert not any(name.startswith(("torch._utils", "collections.Ord")) for name in file.not_run)


def test_a_plain_state_dict_and_safetensors_are_read_too(tmp_path, state):
    plain = tmp_path / "plain.pt"
    torch.save(state, plain)
    safe = tmp_path / "same.safetensors"
    save_file({name: tensor.detach().contiguous() for name, tensor in state.items()}, safe)
    for path in (plain, safe):
        file = open_tensor_file(path)
        assert set(file.shapes) == set(state)
        assert torch.equal(file.read("c.slice"), state["c.slice"])


@pytest.mark.parametrize("place", ["hyper_parameters", "state_dict", "whole"])
def test_hostile_objects_do_nothing(tmp_path, place):
    witness = tmp_path / "witness"
    path = tmp_path / "hostile.ckpt"
    content = {"state_dict": {"w": torch.ones(2)}, "hyper_parameters": {}}
    if place == "whole":
        torch.save([Hostile(witness), content], path)
        with pytest.raises(CheckpointError, match="holds no state dict"):
            open_tensor_file(path)
    else:
        content[place]["h"] = Hostile(witness)
        torch.save(content, path)
        file = open_tensor_file(path)
        assert list(file.shapes) == ["w"]
        assert any(name.endswith("system") for name in file.not_run)
    assert not witness.exists()


def opcodes(*parts):
    return b"\x80\x02" + b"".join(parts) + b"."


SET_STATE = opcodes(b"ctorch._utils\n_rebuild_tensor_v2\n", b"}U\x01aU\x01bsb")
SMALL_BOMB = b"\x80\x02r\xff\xff\xff\x7f."
DEEP = b"\x80\x02" + b"(" * 100_000 + b"l" * 100_000 + b"."


@pytest.mark.parametrize(
    "description",
    [
        b"",
        b"\x80\x02.",
        b"\x80\x02}q",
        SET_STATE,
        SMALL_BOMB,
        DEEP,
        pickled([1, 2]),
        pickled({"state_dict": {}}),
        pickled({"state_dict": 3}),
        opcodes(b"ctorch._utils\n_rebuild_tensor_v2\n", b"(K\x01K\x02K\x03K\x04tR"),
        opcodes(b"ccollections\nOrderedDict\n", b"K\x05\x85R"),
        opcodes(b"X\x03\x00\x00\x00abcQ"),
        opcodes(b"Pabc\n"),
        opcodes(b"\x82\x01"),
    ],
)
def test_damaged_and_odd_descriptions_are_refused(path, description):
    rewritten(path, lambda name, data: description if name.endswith("data.pkl") else data)
    with pytest.raises(CheckpointError, match=r"download it again|give the Lightning"):
        open_tensor_file(path)


def test_a_tensor_that_reaches_beyond_its_numbers_is_refused(tmp_path):
    path = tmp_path / "a.ckpt"
    torch.save({"state_dict": {"w": torch.arange(6.0)}}, path)
    # The size 6 as a one-byte number becomes 60; the numbers beside it stay.
    rewritten(path, lambda n, d: d.replace(b"K\x06\x85", b"K\x3c\x85") if "data.pkl" in n else d)
    with pytest.raises(CheckpointError, match="damaged"):
        open_tensor_file(path)


@pytest.mark.parametrize("cut", [0.02, 0.5, 0.9, 0.999])
def test_truncated_files_say_so(path, cut):
    content = path.read_bytes()
    path.write_bytes(content[: int(cut * len(content))])
    with pytest.raises(CheckpointError, match=r"damaged or cut off.*download it again"):
        open_tensor_file(path)


def test_missing_and_short_and_altered_numbers_are_noticed(path):
    content = path.read_bytes()
    for change in (lambda _: None, lambda data: data[:-4], lambda data: data + b"\0" * 4):
        path.write_bytes(content)
        rewritten(path, lambda n, d, change=change: change(d) if n.endswith("data/0") else d)
        with pytest.raises(CheckpointError, match=r"damaged at tensor a\.weight"):
            open_tensor_file(path).read("a.weight")
    with zipfile.ZipFile(path) as archive:
        info = next(info for info in archive.infolist() if info.filename.endswith("data/0"))
    path.write_bytes(content)
    with zipfile.ZipFile(path) as archive, archive.open(info.filename) as member:
        place = content.index(member.read())
    path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
    with pytest.raises(CheckpointError, match=r"damaged at tensor a\.weight"):
        open_tensor_file(path).read("a.weight")


def test_compressed_numbers_are_refused(path):
    with zipfile.ZipFile(path) as archive:
        members = [(info.filename, archive.read(info)) for info in archive.infolist()]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members:
            archive.writestr(name, data)
    with pytest.raises(CheckpointError, match="damaged at tensor"):
        open_tensor_file(path).read("f.wide")


def test_big_endian_numbers_are_refused(path):
    rewritten(path, lambda name, data: b"big" if name.endswith("byteorder") else data)
    with pytest.raises(CheckpointError, match="big-endian"):
        open_tensor_file(path)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty: download it again"),
        (b"<!DOCTYPE html><html>", "is a web page, not the checkpoint"),
        (b"version https://git-lfs.github.com/spec/v1\n", "is a pointer of Git LFS"),
        (b"PK\x03\x04 and no more", "damaged or cut off"),
        (pickle.dumps({"state_dict": {}}), "is no checkpoint of torch"),
        (b"\xff" * 8 + b"{}", "damaged or cut off"),
        (b"\x02" + b"\0" * 7 + b"{}", "holds no tensors"),
    ],
)
def test_other_files_are_told_apart(tmp_path, content, words):
    path = tmp_path / "a.ckpt"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=words):
        open_tensor_file(path)


def test_the_old_format_of_torch_is_not_run(tmp_path):
    path = tmp_path / "old.ckpt"
    torch.save({"state_dict": {"w": torch.ones(2)}}, path, _use_new_zipfile_serialization=False)
    with pytest.raises(CheckpointError, match=r"torch before 1\.6.*save it again"):
        open_tensor_file(path)


def test_missing_files_and_folders(tmp_path):
    for path in (tmp_path / "no.ckpt", tmp_path, tmp_path / "a\0b.ckpt"):
        with pytest.raises(CheckpointError, match=r"cannot read .*: check the path"):
            open_tensor_file(path)


def test_an_ordinary_zip_file_is_no_checkpoint(tmp_path):
    path = tmp_path / "pictures.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.png", b"x")
    with pytest.raises(CheckpointError, match="zip file but no checkpoint"):
        open_tensor_file(path)
