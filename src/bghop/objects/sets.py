"""Named sets of objects for the benchmark: the held-out shapes, a folder of meshes, one mesh."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from bghop.errors import MeshError, OptionError
from bghop.geometry.loading import FORMATS, load_mesh
from bghop.geometry.mesh import Mesh
from bghop.objects.catalog import family_named
from bghop.objects.family import ShapeSample
from bghop.objects.seeds import held_out_rng

BENCHMARK_SEED = 0
"""The seed of the published set; another one draws other members of the same families."""

STRATA_CM = (6.0, 8.4, 11.7, 16.4, 23.0, 32.2, 45.0)
"""Bounds of the longest side, in equal ratios; the set has four objects between each two."""

SHAPE_SLOTS: tuple[tuple[str, int], ...] = (
    ("mug", 1), ("pot", 4), ("scissors", 3), ("steering_wheel", 5), ("ball", 0), ("controller", 2),
    ("laptop", 4), ("jar", 0), ("cushion", 5), ("book", 3), ("camera", 1), ("goblet", 2),
    ("notebook", 2), ("hammer", 4), ("cylinder", 0), ("tray", 5), ("bottle", 3), ("bowl", 1),
    ("lidded_box", 2), ("watering_can", 4), ("puzzle_cube", 0), ("pan", 5), ("vase", 3),
    ("sliding_box", 1),
)  # fmt: skip
"""Family and stratum of each object. The first ones already differ in size and kind, so that
`shapes:N` is a fair small set."""

_MOST_DRAWS = 2000


@dataclass(frozen=True, kw_only=True, eq=False)
class BenchmarkObject:
    """One object of a set; its mesh is read or built when it is first asked for."""

    name: str
    """Unique in its set; letters, digits, - and _ for shapes, the file's name for meshes."""
    family: str
    """Family of a shape; "mesh" for a file."""
    text: str
    """What a person would call it, for priors that listen to text."""
    articulated: bool
    """Whether it has a joint (files: no)."""
    source: Callable[[], Mesh]
    """Makes the mesh; can be pickled, so that worker processes build their own."""

    @cached_property
    def mesh(self) -> Mesh:
        """The mesh in metres, object frame; kept after the first use.

        Raises:
            MeshError: the file cannot be used; the message names it.
        """
        return self.source()

    def __getstate__(self) -> dict[str, Any]:
        """Pickles without the mesh, which the other process makes again."""
        return {key: value for key, value in self.__dict__.items() if key != "mesh"}


@dataclass(frozen=True, kw_only=True, eq=False)
class ObjectSet:
    """Objects that a benchmark runs on."""

    name: str
    """Short; for tables and file names."""
    items: tuple[BenchmarkObject, ...]
    """In a fixed order, names unique."""


def object_set(source: str, *, seed: int = BENCHMARK_SEED) -> ObjectSet:
    """The objects that `source` names.

    Args:
        source: `shapes` (24 held-out objects), `shapes:N` (the first N of them), a folder (every
            mesh file in it and below, sorted), or one mesh file.
        seed: of the shapes; files do not depend on it.

    Raises:
        OptionError: there is no such set, folder or file, or no mesh in the folder.
    """
    match = re.fullmatch(r"shapes(?::(.*))?", source)
    if match:
        return _shapes(source, match[1], seed)
    path = Path(source)
    if source and path.is_dir():
        return _folder(path)
    if path.is_file():
        return ObjectSet(name=path.stem, items=(_mesh_item(path, path.stem),))
    raise OptionError(
        f"unknown object set '{source}': use shapes, shapes:N (N from 1 to {len(SHAPE_SLOTS)}), a "
        "folder of meshes or a mesh file that exists"
    )


def held_out_sample(slot: int, seed: int = BENCHMARK_SEED) -> ShapeSample:
    """Family, parameters and joint value of one object of the held-out set.

    Drawn again until the longest side lies in the slot's stratum.
    """
    name, stratum = SHAPE_SLOTS[slot]
    low, high = STRATA_CM[stratum : stratum + 2]
    kind, rng = family_named(name), held_out_rng(seed, slot)
    for _ in range(_MOST_DRAWS):
        sample = kind.sample(rng)
        if low <= 100 * kind.mesh(sample).extents.max() <= high:
            return sample
    raise AssertionError(f"no {name} is between {low} and {high} cm long: mend SHAPE_SLOTS")


def _held_out_mesh(slot: int, seed: int) -> Mesh:
    sample = held_out_sample(slot, seed)
    return family_named(sample.family).mesh(sample)


def _shapes(source: str, count: str | None, seed: int) -> ObjectSet:
    most = len(SHAPE_SLOTS)
    if count is not None and not (re.fullmatch(r"[0-9]{1,9}", count) and 1 <= int(count) <= most):
        raise OptionError(f"'{source}' is no object set: use shapes:N with N from 1 to {most}")
    if seed < 0:
        raise OptionError(f"seed {seed} is negative: use 0 (the published set) or more")
    items = []
    for slot, (name, _) in enumerate(SHAPE_SLOTS[: None if count is None else int(count)]):
        kind = family_named(name)
        items.append(
            BenchmarkObject(
                name=name,
                family=name,
                text=kind.texts[0],
                articulated=kind.articulated,
                source=partial(_held_out_mesh, slot, seed),
            )
        )
    return ObjectSet(name=source.replace(":", "_"), items=tuple(items))


def _folder(folder: Path) -> ObjectSet:
    files = sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower().lstrip(".") in FORMATS and path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )  # fmt: skip
    if not files:
        raise OptionError(
            f"{folder} holds no mesh file: put files of these kinds into it: {', '.join(FORMATS)}"
        )
    items = [
        _mesh_item(path, name) for path, name in zip(files, _names(folder, files), strict=True)
    ]
    return ObjectSet(name=folder.resolve().name, items=tuple(items))


def _names(folder: Path, files: list[Path]) -> list[str]:
    """The shortest names that are unique: stem, or the path below the folder, with ending."""
    below = [path.relative_to(folder) for path in files]
    ways = [
        [path.stem for path in below],
        ["_".join(path.with_suffix("").parts) for path in below],
        ["_".join([*path.parts[:-1], path.name.replace(".", "_")]) for path in below],
        [path.as_posix() for path in below],
    ]
    for names in ways:
        if len(set(names)) == len(names):
            return names
    return ways[-1]


def _mesh_item(path: Path, name: str) -> BenchmarkObject:
    return BenchmarkObject(
        name=name,
        family="mesh",
        text=" ".join(re.split(r"[_\-\s]+", re.sub(r"^[0-9]+[_\-]", "", path.stem))).strip(),
        articulated=False,
        source=partial(_mesh_of_file, path),
    )


def _mesh_of_file(path: Path) -> Mesh:
    try:
        return load_mesh(path)
    except MeshError as error:
        raise MeshError(f"{error}; or take it out of the set (the file is {path})") from error
