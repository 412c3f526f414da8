"""The objects of a foreign data set as one store, each of a size that hands can hold."""

from collections.abc import Callable

from bghop.data.adapter import Adapter, ForeignSequence
from bghop.data.objects import StoredObject
from bghop.data.objects_file import read_objects, write_objects
from bghop.data.objects_from_mesh import REACH, object_from_articulated, object_from_mesh
from bghop.errors import BghopError, DataError
from bghop.geometry.articulated import ArticulatedObject
from bghop.geometry.mesh import Mesh
from bghop.jobs.data_folder import OBJECTS_FILE
from bghop.jobs.import_options import ImportDataJob

OR_SKIP = "; or leave out what is broken with --skip-broken"
"""End of the errors that `--skip-broken` avoids."""
_SMALLEST, _LARGEST = 0.005, 3.0


def write_import_objects(
    job: ImportDataJob,
    adapter: Adapter,
    sequences: list[ForeignSequence],
    *,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> dict[str, str]:
    """Write the objects of the sequences; those that cannot be read, if they may be left out.

    Args:
        job: says where, and whether objects may be left out.
        adapter: of the data set.
        sequences: those that are read.
        progress: told how many objects of how many are made.

    Returns:
        Why an object was left out, by its name.

    Raises:
        BghopError: An object cannot be read and may not be left out, or none can.
    """
    names = sorted({name for each in sequences for name in each.objects})
    path, broken = job.out / OBJECTS_FILE, {}
    if path.exists():
        there = read_objects(path).keys
        return {f"object {name}": "cannot be read" for name in names if name not in there}
    made: list[StoredObject] = []
    for number, name in enumerate(names):
        progress(number, len(names))
        try:
            thing = adapter.thing(job.root, name)
            check_size(name, thing)
        except BghopError as error:
            if not job.skip_broken:
                raise type(error)(f"{error}{OR_SKIP}") from error
            broken[f"object {name}"] = str(error)
            continue
        made.append(
            object_from_mesh(name, thing)
            if isinstance(thing, Mesh)
            else object_from_articulated(name, thing)
        )
    if not made:
        raise DataError(f"no object can be read; {next(iter(broken.values()))}")
    write_objects(path, made, reach=REACH)
    return broken


def check_size(name: str, thing: Mesh | ArticulatedObject) -> None:
    """Refuse what two hands cannot hold; grids of it would fill the memory, too.

    Raises:
        DataError: It is longer than 3 m or shorter than 5 mm; says which unit would do.
    """
    parts = (thing,) if isinstance(thing, Mesh) else thing.parts
    size = max(float(part.extents.max()) for part in parts)
    if not _SMALLEST <= size <= _LARGEST:
        fits = [
            unit for unit, metres in (("millimetres", 0.001), ("centimetres", 0.01))
            if _SMALLEST <= size * metres <= _LARGEST
        ]  # fmt: skip
        guess = f" (its file seems to be in {fits[0]})" if fits and size > _LARGEST else ""
        raise DataError(
            f"object {name} is {size:.3g} m long{guess}: give the data set as it was downloaded"
        )
