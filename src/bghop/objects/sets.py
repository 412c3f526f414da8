"""Named sets of objects for the benchmark: shapes, held-out families, a folder of meshes, a mesh.

`shapes` are held-out members of training families, `held-out` are members of held-out families.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

from bghop.errors import MeshError, OptionError
from bghop.geometry.loading import FORMATS, load_mesh
from bghop.geometry.mesh import Mesh
from bghop.objects.catalog import family_named, mesh_of
from bghop.objects.family import ShapeSample
from bghop.objects.seeds import held_out_rng
from bghop.objects.splits import HELD_OUT_RELATIVES

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

HELD_OUT_SIZES = ("small", "medium", "large")
"""Three members of each held-out family, one from each third of its sizes."""

_MOST_DRAWS = 2000
# The slots of `shapes` are streams 0, 1, 2, ...; held-out families have theirs far from them.
_FAMILY_STREAMS = 1000


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
        source: `shapes` (24 held-out objects of training families), `held-out` (27 objects of
            held-out families), `shapes:N` or `held-out:N` (the first N of them), a folder (every
            mesh file in it and below, sorted), or one mesh file.
        seed: of the built-in sets; files do not depend on it.

    Raises:
        OptionError: there is no such set, folder or file, or no mesh in the folder.
    """
    match = re.fullmatch(r"(shapes|held-out)(?::(.*))?", source)
    if match:
        return _built_in(match[1], match[2], seed)
    path = Path(source)
    if source and path.is_dir():
        return _folder(path)
    if path.is_file():
        return ObjectSet(name=path.stem, items=(_mesh_item(path, path.stem),))
    raise OptionError(
        f"unknown object set '{source}': use shapes, shapes:N (N from 1 to {len(SHAPE_SLOTS)}), "
        f"held-out, held-out:N (N from 1 to {len(HELD_OUT_RELATIVES) * len(HELD_OUT_SIZES)}), "
        "a folder of meshes or a mesh file that exists"
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


def held_out_family_sample(number: int, size: int, seed: int = BENCHMARK_SEED) -> ShapeSample:
    """Parameters and joint value of one object of the set `held-out`.

    All is drawn as for any member; then the first argument of a family's function, its size, is
    put at the same place of a third of its range.

    Args:
        number: of the family in `HELD_OUT_RELATIVES`.
        size: which third, 0 to 2.
        seed: of the set.
    """
    kind = family_named(list(HELD_OUT_RELATIVES)[number])
    sample = kind.sample(held_out_rng(seed, _FAMILY_STREAMS + number, size))
    first, (low, high) = next(iter(kind.ranges.items()))
    length = low + (size * (high - low) + sample.parameters[first] - low) / len(HELD_OUT_SIZES)
    parameters = MappingProxyType({**sample.parameters, first: length})
    return replace(sample, parameters=parameters)


def _shape(slot: int, seed: int) -> Mesh:
    return mesh_of(held_out_sample(slot, seed))


def _held_out_shape(number: int, size: int, seed: int) -> Mesh:
    return mesh_of(held_out_family_sample(number, size, seed))


def _built_in(name: str, count: str | None, seed: int) -> ObjectSet:
    makers = {"shapes": _all_shapes, "held-out": _all_held_out}
    if seed < 0:
        raise OptionError(f"seed {seed} is negative: use 0 (the published set) or more")
    items = makers[name](seed)
    if count is None:
        return ObjectSet(name=name, items=items)
    if not (re.fullmatch(r"[0-9]{1,9}", count) and 1 <= int(count) <= len(items)):
        raise OptionError(
            f"'{name}:{count}' is no object set: use {name}:N with N from 1 to {len(items)}"
        )
    return ObjectSet(name=f"{name}_{count}", items=items[: int(count)])


def _all_shapes(seed: int) -> tuple[BenchmarkObject, ...]:
    return tuple(
        _item(name, name, partial(_shape, slot, seed)) for slot, (name, _) in enumerate(SHAPE_SLOTS)
    )


def _all_held_out(seed: int) -> tuple[BenchmarkObject, ...]:
    """Every family once, then again; sizes change from object to object."""
    families, most = list(HELD_OUT_RELATIVES), len(HELD_OUT_SIZES)
    places = [
        (number, (number + round_) % most)
        for round_ in range(most) for number in range(len(families))
    ]  # fmt: skip
    return tuple(
        _item(f"{families[number]}_{HELD_OUT_SIZES[size]}", families[number],
              partial(_held_out_shape, number, size, seed))
        for number, size in places
    )  # fmt: skip


def _item(name: str, family: str, source: Callable[[], Mesh]) -> BenchmarkObject:
    kind = family_named(family)
    return BenchmarkObject(
        name=name,
        family=family,
        text=kind.texts[0],
        articulated=kind.articulated,
        source=source,
    )


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
