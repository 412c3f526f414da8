import os
import pickle

import numpy as np
import pytest
import scipy.sparse

from bghop import inert_arrays
from bghop.errors import HandModelError
from bghop.hands import plain_pickle
from bghop.hands.plain_pickle import read_plain_pickle
from fabricated_mano import chumpy_modules, dump, mano_arrays, write_mano


def written(tmp_path, data):
    path = tmp_path / "file.pkl"
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("python2", [True, False])
def test_arrays_of_all_kinds_come_back_equal(tmp_path, python2):
    sparse = scipy.sparse.random(5, 9, 0.4, random_state=0, format="csc")
    content = {
        "float": np.arange(6.0).reshape(2, 3), "fortran": np.asfortranarray(np.eye(3)[:, :2]),
        "int": np.array([1, 2**32 - 1], dtype=np.uint32), "big": np.arange(3, dtype=">f4"),
        "scalar": np.float64(2.5), "text": "lbs", "number": 3, "list": [np.ones(2)],
        "sparse": sparse,
    }  # fmt: skip
    back = read_plain_pickle(written(tmp_path, dump(content, python2=python2)))
    assert list(back) == list(content)
    for key in ("float", "fortran", "int", "big", "scalar"):
        np.testing.assert_array_equal(back[key], content[key])
    np.testing.assert_array_equal(back["sparse"], sparse.toarray())
    np.testing.assert_array_equal(back["list"][0], np.ones(2))
    assert (back["text"], back["number"]) == ("lbs", 3)


def test_chumpy_is_read_without_chumpy(tmp_path):
    arrays = mano_arrays("right")
    write_mano(tmp_path / "file.pkl", arrays)
    back = read_plain_pickle(tmp_path / "file.pkl")
    np.testing.assert_array_equal(back["shapedirs"], arrays["shapedirs"])
    np.testing.assert_allclose(back["J_regressor"], arrays["J_regressor"])


def test_unneeded_chumpy_objects_do_no_harm(tmp_path):
    with chumpy_modules() as (Ch, _):
        Ch.__qualname__ = Ch.__name__ = "Ch"
        value = Ch()
        value.x = np.ones(3)
        data = dump({"a": value}).replace(b"cchumpy.ch\nCh\n", b"cchumpy.logic\nOther\n")
    assert isinstance(read_plain_pickle(written(tmp_path, data))["a"], plain_pickle.Record)


class Run:
    """Pickles to a call."""

    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


def hostile_pickles(marker):
    touch = f"open({str(marker)!r}, 'w').close()"
    name = str(marker).encode()
    return {
        "os.system": pickle.dumps({"v": Run(os.system, f"touch {marker}")}, 2),
        "eval": pickle.dumps({"v": Run(eval, touch)}, 2),
        "exec protocol 5": pickle.dumps({"v": Run(exec, touch)}, 5),
        "open": pickle.dumps(Run(open, str(marker), "w"), 2),
        "instance opcode": b"(S'touch " + name + b"'\nios\nsystem\n.",
        "object opcode": b"(cposix\nsystem\nS'touch " + name + b"'\no.",
        "getattr": pickle.dumps(Run(getattr, "text", "format"), 2),
        "dotted name": b"\x80\x04\x8c\x05numpy\x8c\x0cndarray.dump\x93.",
        "numpy neighbour": b"cnumpy\nload\n(S'x'\ntR.",
        "numpy testing": b"cnumpy.testing._private.utils\nrunstring\n(S'x'\n}tR.",
        "unknown class": b"csome.package\nThing\n)R.",
        "extension code": b"\x80\x02\x82\x01.",
        "persistent id": b"Px\n.",
    }


NAMES = list(hostile_pickles("x"))


@pytest.mark.parametrize("name", NAMES)
def test_hostile_files_run_nothing_and_are_named(tmp_path, name):
    marker = tmp_path / "ran"
    path = written(tmp_path, hostile_pickles(marker)[name])
    with pytest.raises(HandModelError) as caught:
        read_plain_pickle(path)
    assert not marker.exists()
    assert "\n" not in str(caught.value)
    assert "original file" in str(caught.value) or "download" in str(caught.value)


def test_the_refused_name_is_said(tmp_path):
    data = b"csome.package\nThing\n)R."
    with pytest.raises(HandModelError, match=r"some\.package\.Thing"):
        read_plain_pickle(written(tmp_path, data))


def test_files_cannot_change_the_reader(tmp_path):
    # BUILD with a slot state would set attributes of an admitted function.
    before = inert_arrays._encode.__defaults__
    data = b"c_codecs\nencode\n(N}S'__defaults__'\n(S'utf8'\ntstb."
    with pytest.raises(HandModelError):
        read_plain_pickle(written(tmp_path, data))
    assert inert_arrays._encode.__defaults__ == before


@pytest.mark.parametrize("share", [0.0, 0.001, 0.5, 0.999])
def test_truncated_files(tmp_path, share):
    write_mano(tmp_path / "whole.pkl", mano_arrays("right"))
    data = (tmp_path / "whole.pkl").read_bytes()
    with pytest.raises(HandModelError, match="damaged"):
        read_plain_pickle(written(tmp_path, data[: int(share * len(data))]))


@pytest.mark.parametrize(
    "data",
    [b"PK\x03\x04 not a pickle", b"\x00" * 50, pickle.dumps([1, 2]), b"\x80\x02r\xff\xff\xff\x7f.",
     dump({"a": np.array([object()], dtype=object)}, python2=False)],
)  # fmt: skip
def test_other_files(tmp_path, data):
    with pytest.raises(HandModelError):
        read_plain_pickle(written(tmp_path, data))


def test_array_with_too_few_bytes(tmp_path):
    data = dump({"a": np.arange(4.0)}).replace(
        b"T" + (32).to_bytes(4, "little") + np.arange(4.0).tobytes(),
        b"T" + (8).to_bytes(4, "little") + np.arange(1.0).tobytes(),
    )
    with pytest.raises(HandModelError, match="damaged array"):
        read_plain_pickle(written(tmp_path, data))


def test_random_damage_never_escapes_as_another_error(tmp_path):
    write_mano(tmp_path / "whole.pkl", mano_arrays("right"))
    whole = (tmp_path / "whole.pkl").read_bytes()
    small = whole[:400] + whole[-400:]
    rng = np.random.default_rng(0)
    for _ in range(300):
        spoiled = bytearray(small)
        for position in rng.integers(0, len(spoiled), 5):
            spoiled[position] = rng.integers(256)
        try:
            read_plain_pickle(written(tmp_path, bytes(spoiled)))
        except HandModelError:
            continue
