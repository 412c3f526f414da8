"""The objects of a foreign data set as one store, each of a size that hands can hold.

Grids take seconds an object, so that objects are spread over the cores as sequences are: each is a
file of its own until all are there, and a killed run goes on with those that are missing.
"""

import hashlib
from collections.abc import Callable
from pathlib import Path

from bghop.data.adapter import ForeignSequence
from bghop.data.adapters import adapter_named
from bghop.data.objects_file import read_objects, read_stored_objects, write_objects
from bghop.data.objects_from_mesh import REACH, object_from_articulated, object_from_mesh
from bghop.errors import BghopError, DataError
from bghop.files import remove, writing
from bghop.geometry.articulated import ArticulatedObject
from bghop.geometry.mesh import Mesh
from bghop.jobs.data_folder import OBJECTS_FILE, PARTS
from bghop.jobs.import_options import ImportDataJob
from bghop.processes import run_all

OR_SKIP = "; or leave out what is broken with --skip-broken"
"""End of the errors that `--skip-broken` avoids."""
_SMALLEST, _LARGEST = 0.005, 3.0
_FOLDER = "objects"


def write_import_objects(
    job: ImportDataJob,
    sequences: list[ForeignSequence],
    *,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> dict[str, str]:
    """Write the objects of the sequences; those that cannot be read, if they may be left out.

    Args:
        job: says of what, where, and whether objects may be left out.
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
    folder = job.out / PARTS / _FOLDER
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    parts = {name: folder / f"{hashlib.sha256(name.encode()).hexdigest()[:16]}" for name in names}
    tasks = [(job, name, part) for name, part in parts.items() if not part.exists()]
    done = len(names) - len(tasks)
    progress(done, len(names))
    for name, why in run_all(_write_object, tasks, job.workers):
        done += 1
        progress(done, len(names))
        if why:
            broken[f"object {name}"] = why
    found = [part for name, part in parts.items() if f"object {name}" not in broken]
    if not found:
        raise DataError(f"no object can be read; {next(iter(broken.values()))}")
    made = [each for part in found for each in read_stored_objects(part, triangles=True)[0]]
    write_objects(path, made, reach=REACH)
    with writing(folder):
        remove(folder)
    return dict(sorted(broken.items()))


def _write_object(job: ImportDataJob, name: str, path: Path) -> tuple[str, str]:
    """One object's file; its name, and why there is none. Runs in a process of its own."""
    try:
        thing = adapter_named(job.source).thing(job.root, name)
        check_size(name, thing)
    except BghopError as error:
        if not job.skip_broken:
            raise type(error)(f"{error}{OR_SKIP}") from error
        return name, str(error)
    made = (
        object_from_mesh(name, thing)
        if isinstance(thing, Mesh)
        else object_from_articulated(name, thing)
    )
    write_objects(path, [made], reach=REACH)
    return name, ""


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
