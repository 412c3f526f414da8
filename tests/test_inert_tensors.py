"""Tensors in plain pickles come out as torch put them in; nothing that the bytes name is run."""

import io
import os
import pickle
import zlib

import numpy as np
import pytest
import torch

from bghop.data.foreign_files import read_npy, read_pickle
from bghop.errors import DataError

BASE = torch.arange(24.0).reshape(2, 3, 4)
TENSORS = {
    "whole": BASE,
    "slice": BASE[1:, ::2],
    "turned": BASE.transpose(0, 2),
    "parameter": torch.nn.Parameter(BASE[0].clone()),
    "double": BASE.double(),
    "half": BASE.half(),
    "brain": BASE.bfloat16(),
    "long": torch.tensor([[1, 2]]),
    "flags": torch.tensor([True, False]),
    "number": torch.tensor(2.5),
    "empty": torch.zeros(0, 3),
}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "tensors.pkl"


@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize("name", TENSORS)
def test_tensors_of_a_plain_pickle_become_arrays(path, name, protocol):
    path.write_bytes(pickle.dumps({"frames": [{name: TENSORS[name]}]}, protocol=protocol))
    found = read_pickle(path)["frames"][0][name]
    tensor = TENSORS[name].detach()
    expected = (tensor.float() if name == "brain" else tensor).numpy()
    assert isinstance(found, np.ndarray)
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)


def test_tensors_in_arrays_of_objects_are_read(tmp_path):
    array = np.empty((), dtype=object)
    array[()] = {"pose": BASE}
    np.save(tmp_path / "a.npy", array, allow_pickle=True)
    np.testing.assert_array_equal(read_npy(tmp_path / "a.npy")["pose"], BASE.numpy())


def test_entries_that_nobody_asks_for_are_not_made(path):
    content = bytearray(pickle.dumps({"wanted": BASE, "other": BASE.double()}))
    at = content.index(b"DoubleStorage")
    content[at : at + 6] = b"Hostil"
    path.write_bytes(content)
    np.testing.assert_array_equal(
        read_pickle(path, choose=lambda content: content["wanted"]), BASE.numpy()
    )
    with pytest.raises(DataError, match=r"names torch.HostilStorage"):
        read_pickle(path)


class Stored:
    """Pickles as a storage whose bytes are these."""

    def __init__(self, data):
        self.data = data

    def __reduce__(self):
        return torch.storage._load_from_bytes, (self.data,)


class View:
    """Pickles as a tensor of a storage."""

    def __init__(self, storage, shape=(2,), strides=(1,)):
        self.told = (storage, 0, shape, strides, False, None)

    def __reduce__(self):
        return torch._utils._rebuild_tensor_v2, self.told


def stored(tensor):
    """Bytes of a tensor's storage as torch pickles it."""
    buffer = io.BytesIO()
    torch.save(tensor.storage(), buffer, _use_new_zipfile_serialization=False)
    return buffer.getvalue()


class Opens:
    """Pickles as a call that makes a file."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return os.mkdir, (str(self.marker),)


@pytest.mark.filterwarnings("ignore:TypedStorage is deprecated")
def test_damaged_tensors_are_named_with_the_remedy(path):
    good = stored(torch.tensor([1.0, 2.0]))
    cases = {
        "no storage": View({"a": 1}),
        "other bytes": View(Stored(b"PK" + good)),
        "cut": View(Stored(good[:-3])),
        "longer": View(Stored(good), shape=(3,)),
        "huge": View(Stored(good), shape=(2**30,), strides=(0,)),
        "negative": View(Stored(good), strides=(-1,)),
        "big-endian": View(Stored(good.replace(b"q\x02\x88X", b"q\x02\x89X"))),
    }  # fmt: skip
    for name, value in cases.items():
        path.write_bytes(pickle.dumps({"frames": value}))
        with pytest.raises(DataError, match=r"(?s)tensors.pkl is damaged .*: download it again"):
            pytest.fail(f"{name}: {read_pickle(path)}")


@pytest.mark.filterwarnings("ignore:TypedStorage is deprecated")
@pytest.mark.parametrize("where", ["outside", "inside"])
def test_code_in_the_file_or_in_a_storage_never_runs(path, tmp_path, where):
    marker = tmp_path / "ran"
    value = Opens(marker)
    if where == "inside":
        magic, rest = stored(torch.tensor([1.0, 2.0])).split(b".", 1)
        value = View(Stored(magic + b"." + pickle.dumps(value, protocol=2) + rest))
    path.write_bytes(pickle.dumps({"frames": value}))
    with pytest.raises(DataError, match=r"names \w+.mkdir, which no data need, so it was not read"):
        read_pickle(path)
    assert not marker.exists()


def test_files_of_torch_save_are_refused_with_the_remedy(path):
    torch.save({"pose": BASE}, path)
    with pytest.raises(DataError, match=r"is a file of torch.save.*save it with pickle.dump"):
        read_pickle(path)


def test_cut_pickles_are_refused(path):
    path.write_bytes(pickle.dumps({"pose": BASE})[:-40])
    with pytest.raises(DataError, match="is damaged"):
        read_pickle(path)
    path.write_bytes(zlib.compress(b"text"))
    with pytest.raises(DataError, match="is damaged"):
        read_pickle(path)
