"""Writes files in exactly the format of the official MANO pickles, with made-up hands in them.

Protocol 2 as Python 2 wrote it: byte strings as BINSTRING, numpy and scipy under their old module
names, shape directions as a chumpy selection. The chumpy modules exist only while writing.
"""

import contextlib
import io
import pickle
import struct
import sys
import types

import numpy as np
import scipy.sparse
from scipy.spatial.transform import Rotation

PARENTS = (-1, 0, 1, 2, 0, 4, 5, 0, 7, 8, 0, 10, 11, 0, 13, 14)


class Python2Pickler(pickle._Pickler):
    """Strings and bytes as Python 2's `str`."""

    dispatch = dict(pickle._Pickler.dispatch)  # noqa: RUF012

    def save_python2_string(self, value):
        data = value if isinstance(value, bytes) else value.encode("latin1")
        self.write(pickle.BINSTRING + struct.pack("<i", len(data)) + data)
        self.memoize(value)

    dispatch[bytes] = save_python2_string
    dispatch[str] = save_python2_string


@contextlib.contextmanager
def chumpy_modules():
    """`chumpy.ch.Ch` and `chumpy.reordering.Select` that can be pickled."""
    ch, reordering = types.ModuleType("chumpy.ch"), types.ModuleType("chumpy.reordering")
    ch.Ch = type("Ch", (), {"__module__": "chumpy.ch", "__qualname__": "Ch"})
    reordering.Select = type("Select", (ch.Ch,), {"__module__": "chumpy.reordering"})
    modules = {
        "chumpy": types.ModuleType("chumpy"),
        "chumpy.ch": ch,
        "chumpy.reordering": reordering,
    }
    sys.modules.update(modules)
    try:
        yield ch.Ch, reordering.Select
    finally:
        for name in modules:
            del sys.modules[name]


def sock():
    """778 vertices and 1538 triangles with one open end of 16: a tube along -x with a round tip."""
    vertices, faces = [], []
    turn = np.linspace(0, 2 * np.pi, 16, endpoint=False)
    for ring in range(48):
        radius = 0.03 + 0.008 * np.sin(ring / 6)
        vertices += [
            (0.09 - 0.004 * ring, radius * np.cos(a), 1.3 * radius * np.sin(a)) for a in turn
        ]
    vertices += [(-0.105, 0.012 * np.cos(a), 0.012 * np.sin(a)) for a in turn[:9] * 16 / 9]
    vertices += [(-0.108, 0.0, 0.0)]
    for ring in range(47):
        for i in range(16):
            a, b = 16 * ring + i, 16 * ring + (i + 1) % 16
            faces += [(a, a + 16, b), (b, a + 16, b + 16)]
    outer, inner, i, j = 47 * 16, 48 * 16, 0, 0
    while i < 16 or j < 9:
        if j == 9 or (i < 16 and i / 16 <= j / 9):
            faces.append((outer + i % 16, inner + j % 9, outer + (i + 1) % 16))
            i += 1
        else:
            faces.append((outer + i % 16, inner + j % 9, inner + (j + 1) % 9))
            j += 1
    faces += [(inner + k, 777, inner + (k + 1) % 9) for k in range(9)]
    return np.array(vertices), np.array(faces, dtype=np.uint32)


def mano_arrays(side, seed=0):
    """The content of one file: numpy arrays under the official keys."""
    rng = np.random.default_rng(seed)
    vertices, faces = sock()
    weights = rng.random((778, 16)) ** 8
    regressor = np.where(rng.random((16, 778)) < 0.02, rng.random((16, 778)), 0)
    arrays = {
        "hands_components": np.eye(45), "hands_coeffs": rng.normal(size=(3, 45)),
        "hands_mean": rng.normal(size=45) * 0.2, "f": faces, "bs_type": "lrotmin",
        "bs_style": "lbs", "v_template": vertices + rng.normal(size=vertices.shape) * 1e-4,
        "shapedirs": rng.normal(size=(778, 3, 10)) * 2e-3,
        "posedirs": rng.normal(size=(778, 3, 135)) * 1e-3,
        "weights": weights / weights.sum(1, keepdims=True),
        "J_regressor": regressor / regressor.sum(1, keepdims=True),
        "kintree_table": np.array([[2**32 - 1, *PARENTS[1:]], range(16)], dtype=np.uint32),
    }  # fmt: skip
    arrays["J"] = arrays["J_regressor"] @ arrays["v_template"]
    if side == "left":
        # The official left file: a mirrored template, x shape directions with the right's signs.
        arrays["v_template"] = arrays["v_template"] * [-1, 1, 1]
        arrays["f"] = faces[:, ::-1].copy()
    return arrays


def dump(content, *, python2=True):
    """Bytes of the pickle."""
    if not python2:
        return pickle.dumps(content, protocol=2)
    buffer = io.BytesIO()
    Python2Pickler(buffer, protocol=2).dump(content)
    data = buffer.getvalue()
    for new, old in (
        (b"numpy._core.", b"numpy.core."),
        (b"scipy.sparse._csc\n", b"scipy.sparse.csc\n"),
    ):
        data = data.replace(b"c" + new, b"c" + old)
    return data


def write_mano(path, arrays, *, python2=True):
    """One file in the official format."""
    content = dict(arrays)
    content["J_regressor"] = scipy.sparse.csc_matrix(arrays["J_regressor"])
    with chumpy_modules() as (Ch, Select):
        # The official shape directions are the first ten of a longer list, as a chumpy selection.
        longer = np.concatenate([arrays["shapedirs"], np.ones((778, 3, 2))], axis=2)
        source = Ch()
        source.x, source._dirty_vars, source._itr = longer, {"x"}, None
        chosen = Select()
        chosen.a, chosen.preferred_shape = source, (778, 3, 10)
        chosen.idxs = np.arange(longer.size).reshape(longer.shape)[:, :, :10].ravel()
        content["shapedirs"] = chosen
        path.write_bytes(dump(content, python2=python2))


def forward(arrays, *, pose, shape, orient, transl):
    """The MANO equations once more, plain numpy, one bone at a time, MANO's own order and frame."""
    v_shaped = arrays["v_template"] + arrays["shapedirs"] @ shape
    J = arrays["J_regressor"] @ v_shaped
    R = Rotation.from_rotvec(np.concatenate([orient[None], pose.reshape(15, 3)])).as_matrix()
    v_posed = v_shaped + arrays["posedirs"] @ (R[1:] - np.eye(3)).ravel()
    G = []
    for k in range(16):
        local = np.eye(4)
        local[:3, :3] = R[k]
        local[:3, 3] = J[k] if k == 0 else J[k] - J[PARENTS[k]]
        G.append(local if k == 0 else G[PARENTS[k]] @ local)
    out = np.zeros_like(v_posed)
    for k in range(16):
        moved = (v_posed - J[k]) @ G[k][:3, :3].T + G[k][:3, 3]
        out += arrays["weights"][:, k : k + 1] * moved
    return out + transl, np.stack([g[:3, 3] for g in G]) + transl
