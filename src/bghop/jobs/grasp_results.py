"""From a synthesis to the files of a result folder: metrics, ranking, GLBs, sheet, grasps.json."""

from dataclasses import asdict, replace
from typing import Any

import numpy as np
import torch

from bghop.drawing.contact_sheet import Cell
from bghop.drawing.export import scene_glb
from bghop.drawing.scene import Scene
from bghop.drawing.shading import split_sharp_edges
from bghop.drawing.worker import SheetWorker
from bghop.errors import DrawingError, ResultError
from bghop.evaluation.measure import Solid, measure_grasp, solid_of_mesh
from bghop.evaluation.ranking import faults, rank, score
from bghop.files import write_whole
from bghop.geometry.mesh import Mesh, MeshQuery
from bghop.hands.model import HandModel
from bghop.jobs.grasp_inputs import (
    HOLD_SETTINGS,
    MANO_SETTINGS,
    ObjectInput,
    identity_of,
    settings_of,
)
from bghop.jobs.grasp_options import GraspJob
from bghop.jobs.grasp_verify import Progress, hold_strip, verified
from bghop.jobs.grasps_file import Grasps, grasp_file_name, grasps_to_json, strip_file_name
from bghop.jobs.result_folder import SHEET_FILE, ResultFolder
from bghop.physics.body import body_of
from bghop.physics.static_check import static_check
from bghop.synthesis.synthesize import Synthesis
from bghop.threads import one_thread

_RANKING_SAMPLES = 30_000  # of the lattice that weighs the object; enough to compare grasps


class ResultWriter:
    """Writes the results of any number of objects; owns the process that draws."""

    def __init__(self, job: GraspJob) -> None:
        """Starts nothing yet."""
        self._job = job
        self._worker: SheetWorker | None = None

    def warm_up(self) -> SheetWorker:
        """Starts the drawing process, which then gets ready beside the synthesis."""
        if self._worker is None:
            self._worker = SheetWorker()
        return self._worker

    def close(self) -> None:
        """Ends the drawing process."""
        if self._worker is not None:
            self._worker.close()
            self._worker = None

    def write(
        self,
        folder: ResultFolder,
        item: ObjectInput,
        mesh: Mesh,
        hand_model: HandModel,
        found: Synthesis,
        seconds: float,
        *,
        progress: Progress,
    ) -> tuple[Grasps, tuple[str, ...]]:
        """Measures, ranks and writes; returns the results, best first, and warnings."""
        target = solid_of_mesh(mesh)
        grasps = _ranked(target, mesh, hand_model, found, seconds, progress)
        if self._job.verified:
            with one_thread():
                grasps = verified(grasps, mesh, hand_model, target.query, progress=progress)
        scenes = _scenes(mesh, hand_model, grasps)
        warnings = [warning.message for warning in mesh.warnings]
        worker = self.warm_up()
        worker.request(
            [
                Cell(scene=scene, heading=str(index + 1), caption=_caption(grasps, index))
                for index, scene in enumerate(scenes)
            ],
            title=item.name,
            subtitle=_subtitle(mesh, self._job, grasps),
        )
        for index, scene in enumerate(scenes):
            progress("writing scenes", index, len(scenes))
            write_whole(folder.path / grasp_file_name(index), scene_glb(scene))
        header = _header(self._job, item, mesh, hand_model, warnings)
        header["sheet"] = None
        try:
            progress("drawing", 0, 1)
            write_whole(folder.path / SHEET_FILE, worker.answer())
            header["sheet"] = SHEET_FILE
            progress("drawing", 1, 1)
            self._write_strips(folder, mesh, hand_model, grasps, target.query, progress)
        except DrawingError as error:
            self.close()  # a broken process is not asked again; the next object gets a new one
            missing = "strips of the hold test" if header["sheet"] else SHEET_FILE
            warnings.append(f"no {missing}: {error}")
        if worker.note:
            warnings.append(worker.note)
        header["time_s"] = seconds
        grasps = replace(grasps, header=header)
        content = grasps_to_json(grasps)
        for entry, metrics in zip(content["grasps"], grasps.metrics, strict=True):
            entry["faults"] = list(faults(metrics))
        folder.finish(content)
        return grasps, tuple(warnings)

    def _write_strips(
        self,
        folder: ResultFolder,
        mesh: Mesh,
        hand_model: HandModel,
        grasps: Grasps,
        query: MeshQuery,
        progress: Progress,
    ) -> None:
        """Pictures of the hold test of the first results, each where the object moved most."""
        hold = (grasps.hold or ())[: self._job.strips]
        for index, record in enumerate(hold):
            progress("filming the hold test", index, len(hold))
            hands = grasps.hands.rows(index)
            with one_thread():
                frames, captions = hold_strip(mesh, hand_model, hands, record, query)
            worker = self.warm_up()
            worker.request_strip(frames, captions)
            write_whole(folder.path / strip_file_name(index), worker.answer())


def _ranked(
    target: Solid,
    mesh: Mesh,
    hand_model: HandModel,
    found: Synthesis,
    seconds: float,
    progress: Progress,
) -> Grasps:
    """Metrics of all grasps on the mesh itself, and everything in their order."""
    num = len(found.energy)
    if num == 0 or not bool(torch.isfinite(found.hands.T_object_hand).all()):
        msg = f"no grasp was found for {mesh.name}: try another --seed or a larger --num"
        raise ResultError(msg)
    body = body_of(mesh, target.query, samples=_RANKING_SAMPLES)
    measured, instability = [], []
    for index in range(num):
        progress("measuring", index, num)
        one = found.hands.rows(index)
        measured.append(measure_grasp(target, hand_model, one, time_s=seconds / num))
        instability.append(static_check(target.query, body, hand_model, one).instability)
    scores = [score(*each) for each in zip(instability, found.energy.tolist(), strict=True)]
    order = rank(measured, scores)
    rows = torch.tensor(order, device=found.energy.device)
    hands = found.hands.rows(rows)
    with torch.no_grad():
        joints = hand_model.pose_hands(hands).joints_object
    joints = torch.where(hands.present[..., None, None], joints, torch.nan)
    return Grasps(
        hands=hands,
        joints_object=joints,
        metrics=tuple(measured[k] for k in order),
        scores={
            "instability": torch.tensor(instability).to(found.energy)[rows],
            "energy": found.energy[rows],
            **{k: v[rows] for k, v in found.terms.items()},
        },
        header={},
    )


def _scenes(mesh: Mesh, hand_model: HandModel, grasps: Grasps) -> list[Scene]:
    with torch.no_grad():
        posed = hand_model.pose_hands(grasps.hands).vertices_object.cpu().numpy()
    faces = [each.cpu().numpy() for each in hand_model.closed_faces]
    target = split_sharp_edges(mesh.vertices, mesh.faces)
    present = grasps.hands.present.tolist()
    return [
        Scene(
            object=target,
            hands=(
                (posed[index, 0], faces[0]) if present[index][0] else None,
                (posed[index, 1], faces[1]) if present[index][1] else None,
            ),
        )
        for index in range(len(present))
    ]


def _header(
    job: GraspJob, item: ObjectInput, mesh: Mesh, hand_model: HandModel, warnings: list[str]
) -> dict[str, Any]:
    size = np.ptp(mesh.vertices, axis=0)
    return {
        "job": identity_of(job, item),
        "method": job.method,
        "seed": job.seed,
        "text": job.text,
        "options": settings_of(job, item),
        "hand_model": {
            "name": hand_model.name,
            "shape_names": list(hand_model.shape_names),
            "settings": {} if job.mano is None else MANO_SETTINGS,
        },
        "object": {
            "file": item.source,
            "name": item.name,
            "scale": job.scale,
            "unit": job.unit,
            "size_m": size.tolist(),
            "num_vertices": len(mesh.vertices),
            "num_faces": len(mesh.faces),
        },
        "warnings": warnings,
        **({"verified": True, "hold_settings": asdict(HOLD_SETTINGS)} if job.verified else {}),
    }


def _subtitle(mesh: Mesh, job: GraspJob, grasps: Grasps) -> str:
    size = " x ".join(f"{100 * edge:.1f}" for edge in np.ptp(mesh.vertices, axis=0))
    num = len(grasps.metrics)
    hold = ""
    if grasps.hold is not None:
        hold = f"  ·  {sum(record.success for record in grasps.hold)} of {num} hold"
    return f"{size} cm  ·  {num} grasps  ·  seed {job.seed}{hold}"


def _caption(grasps: Grasps, index: int) -> str:
    metrics = grasps.metrics[index]

    def both(pair: tuple[Any, Any], form: str) -> str:
        return " | ".join("-" if value is None else format(value, form) for value in pair)

    hold = "" if grasps.hold is None else f"   holds {grasps.hold[index].mark}"
    return (
        f"depth {both(metrics.penetration_depth_mm, '.1f')} mm   "
        f"volume {both(metrics.intersection_volume_cm3, '.2f')} cm3   "
        f"fingers {both(metrics.fingers_in_contact, 'd')}{hold}"
    )
