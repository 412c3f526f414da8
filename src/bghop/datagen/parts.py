"""A part of a data set on disk: some objects with their grasps, in three parquet files.

    records.parquet      interactions (docs/records.md)
    objects.parquet      their objects
    provenance.parquet   how each interaction was made and what the checks found; written last

A data set is the same three files, with the rows of all parts.
"""

import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from bghop.data.objects_file import OBJECTS, write_objects
from bghop.data.objects_from_mesh import REACH
from bghop.data.record import concatenate_records
from bghop.data.record_file import RECORDS, write_records
from bghop.data.shards import join_tables
from bghop.data.tables import TableFormat, read_table, write_table
from bghop.datagen.checks import REASONS
from bghop.datagen.making import Made, MakeOptions, family_of, key_of
from bghop.errors import BghopError, DataError
from bghop.files import writing

RECORDS_FILE, OBJECTS_FILE = "records.parquet", "objects.parquet"
PROVENANCE_FILE = "provenance.parquet"
PROVENANCE = TableFormat(
    name="bghop-provenance", version=1, remedy="give a folder that `bghop data synthesize` wrote"
)


@dataclass(frozen=True, kw_only=True)
class ObjectReport:
    """What became of one object's candidates."""

    key: str
    family: str
    parameters: dict[str, float]
    joint_value: float | None
    size_cm: float
    """Longest side."""
    candidates: int
    accepted: int
    rejected: dict[str, int]
    """By reason."""
    seconds: float
    unbalanced_tested: int = 0
    """Candidates that only the static check refuses and that went through the hold test."""
    unbalanced_held: int = 0
    error: str = ""
    """Why the object could not be made; empty if it was."""


def write_part(folder: Path, made: Sequence[Made | ObjectReport], header: dict[str, Any]) -> None:
    """Write what was made of some objects; without accepted grasps only the reports.

    Args:
        folder: Made if it is not there; an unfinished part in it is replaced.
        made: The objects, or a report of one that failed.
        header: Goes into the provenance file.
    """
    import pyarrow as pa

    with writing(folder):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    full = [each for each in made if isinstance(each, Made) and len(each.records)]
    if full:
        records = concatenate_records([each.records for each in full])
        write_records(folder / RECORDS_FILE, records)
        write_objects(folder / OBJECTS_FILE, [each.stored for each in full], reach=REACH)
    rows = [row for each in full for row in _rows(each)]
    reports = [asdict(report_of(each) if isinstance(each, Made) else each) for each in made]
    table = pa.Table.from_pylist(rows, schema=_schema(pa))
    write_table(folder / PROVENANCE_FILE, table, PROVENANCE, {**header, "objects": reports})


def report_of(made: Made) -> ObjectReport:
    """The numbers of one object."""
    sample = made.shape.sample
    return ObjectReport(
        key=made.shape.key,
        family=sample.family,
        parameters=dict(sample.parameters),
        joint_value=sample.joint_value,
        size_cm=100 * float(made.shape.mesh.extents.max()),
        candidates=made.num_candidates,
        accepted=len(made.records),
        rejected=made.rejected,
        seconds=made.seconds,
        unbalanced_tested=len(made.unbalanced_held),
        unbalanced_held=sum(made.unbalanced_held),
    )


def failure(options: MakeOptions, seed: int, number: int, error: BghopError) -> ObjectReport:
    """The report of an object that could not be made."""
    family = family_of(options, number)
    return ObjectReport(
        key=key_of(family, seed, number), family=family, parameters={}, joint_value=None,
        size_cm=0.0, candidates=0, accepted=0, rejected=dict.fromkeys(REASONS, 0), seconds=0.0,
        error=str(error),
    )  # fmt: skip


def part_is_whole(folder: Path, header: dict[str, Any], num: int) -> bool:
    """Whether a part of `num` objects with this header is finished."""
    try:
        found = read_table(folder / PROVENANCE_FILE, PROVENANCE).header
    except DataError:
        return False
    same = all(found.get(key) == value for key, value in header.items())
    return same and len(found.get("objects", [])) == num


def commits_of(folders: Sequence[Path]) -> list[str]:
    """The commits of the code that made some parts; `unknown` where it was in no checkout."""
    headers = [read_table(folder / PROVENANCE_FILE, PROVENANCE).header for folder in folders]
    return sorted({str(header.get("commit") or "unknown") for header in headers})


def read_reports(path: Path) -> list[ObjectReport]:
    """The object reports in the header of a provenance file."""
    header = read_table(path, PROVENANCE).header
    return [ObjectReport(**report) for report in header.get("objects", [])]


def join_parts(folders: Sequence[Path], out: Path, header: dict[str, Any]) -> None:
    """Write the three files of the whole from those of the parts, in the given order.

    Raises:
        DataError: A part is damaged, or no part has an interaction.
    """
    import pyarrow as pa

    full = [folder for folder in folders if (folder / RECORDS_FILE).exists()]
    if not full:
        raise DataError("no candidate was accepted: ask for more --objects or other --families")
    for name, form in ((RECORDS_FILE, RECORDS), (OBJECTS_FILE, OBJECTS)):
        join_tables([folder / name for folder in full], out / name, form)
    files = [read_table(folder / PROVENANCE_FILE, PROVENANCE) for folder in folders]
    reports = [report for file in files for report in file.header["objects"]]
    table = pa.concat_tables([file.table for file in files])
    write_table(out / PROVENANCE_FILE, table, PROVENANCE, {**header, "objects": reports})


def _rows(made: Made) -> list[dict[str, Any]]:
    roles = made.played.roles()
    lists = {
        name: value.tolist()
        for name, value in (
            ("grip", made.played.grip), ("moving", made.played.moving),
            ("support", made.played.support), ("depth_mm", made.checked.depth_mm),
            ("fingers", made.checked.fingers.to(torch.int8)),
        )
    }  # fmt: skip
    return [
        {
            "id": made.records.id[i],
            "object": made.shape.key,
            "family": made.shape.sample.family,
            "role": str(roles[i]),
            **{name: values[i] for name, values in lists.items()},
            "residual": float(made.checked.residual[i]),
            "instability": float(made.checked.instability[i]),
            "held": made.held[i],
        }
        for i in range(len(made.records))
    ]


def _schema(pa: Any) -> Any:
    def pair(kind: Any) -> Any:
        return pa.list_(kind, 2)

    return pa.schema(
        [
            ("id", pa.string()),
            ("object", pa.string()),
            ("family", pa.string()),
            ("role", pa.string()),
            ("grip", pair(pa.bool_())),
            ("moving", pair(pa.bool_())),
            ("support", pair(pa.bool_())),
            ("depth_mm", pair(pa.float32())),
            ("fingers", pair(pa.int8())),
            ("residual", pa.float32()),
            ("instability", pa.float32()),
            ("held", pa.bool_()),
        ]
    )
