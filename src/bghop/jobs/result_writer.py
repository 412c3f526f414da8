"""From candidates to the files of a result folder: order, GLBs, sheet, strips, the result file."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bghop.drawing.contact_sheet import Cell
from bghop.drawing.export import scene_glb
from bghop.drawing.posed import drawable, posed_scenes
from bghop.drawing.scene import Scene
from bghop.drawing.worker import SheetWorker
from bghop.errors import DrawingError
from bghop.evaluation.measure import solid_of_mesh
from bghop.evaluation.ranking import faults, object_faults
from bghop.files import write_whole
from bghop.geometry.mesh import MeshQuery
from bghop.hands.model import HandModel
from bghop.jobs.grasp_verify import hold_strip, verified
from bghop.jobs.grasps_file import Grasps, grasps_to_json
from bghop.jobs.ranked import Candidates, Progress, Ranked, ranked
from bghop.jobs.result_folder import ResultFolder
from bghop.threads import one_thread

MOST_ROWS = 4
"""Results whose moments are drawn."""
Strip = tuple[Sequence[Scene], Sequence[str]]
"""Frames and their captions."""


@dataclass(frozen=True, kw_only=True)
class Page:
    """What the writer is told about results besides the numbers."""

    title: str
    about: str
    """First words of the sheet's subtitle."""
    header: dict[str, Any]
    """Fields of the result file: whose they are, options, hand model, object."""
    warnings: tuple[str, ...] = ()
    moments: Callable[[int], Strip] | None = None
    """How one candidate (by its place in `Candidates`) came to be; drawn for the best results."""


class ResultWriter:
    """Writes the results of any number of objects; owns the process that draws."""

    def __init__(self, *, verify: bool = False, strips: int = 0) -> None:
        """Starts nothing yet.

        Args:
            verify: run the hold test and put what holds first; results of one object only.
            strips: draw the hold test of so many results.
        """
        self._verify = verify
        self._strips = strips
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
        page: Page,
        hand_model: HandModel,
        found: Candidates,
        *,
        progress: Progress,
    ) -> tuple[Grasps, tuple[str, ...]]:
        """Measures, ranks and writes; returns the results, best first, and warnings."""
        target = solid_of_mesh(found.meshes[0]) if len(found.meshes) == 1 else None
        with one_thread():
            results = ranked(found, hand_model, folder.kind, target=target, progress=progress)
            if self._verify and target is not None:
                results = verified(results, hand_model, target.query, progress=progress)
        objects = [drawable(mesh) for mesh in results.meshes]
        scenes = posed_scenes(hand_model, results.grasps.hands, objects)
        warnings = list(page.warnings)
        worker = self.warm_up()
        worker.request(
            [
                Cell(scene=scene, heading=str(index + 1), caption=_caption(results.grasps, index))
                for index, scene in enumerate(scenes)
            ],
            title=page.title,
            subtitle=_subtitle(page, results.grasps),
        )
        for index, scene in enumerate(scenes):
            progress("writing scenes", index, len(scenes))
            write_whole(folder.path / folder.kind.scene_file(index), scene_glb(scene))
        sheet: str | None = None
        try:
            progress("drawing", 0, 1)
            write_whole(folder.path / folder.kind.sheet_file, worker.answer())
            sheet = folder.kind.sheet_file
            progress("drawing", 1, 1)
            self._write_strips(folder, page, results, hand_model, target and target.query, progress)
        except DrawingError as error:
            self.close()  # a broken process is not asked again; the next object gets a new one
            missing = "strips" if sheet else folder.kind.sheet_file
            warnings.append(f"no {missing}: {error}")
        if worker.note:
            warnings.append(worker.note)
        header = page.header | {"warnings": warnings, "sheet": sheet, "time_s": found.seconds}
        grasps = replace(results.grasps, header=header)
        content = grasps_to_json(grasps)
        for index, entry in enumerate(content[folder.kind.nouns]):
            own = () if grasps.objects is None else object_faults(grasps.objects[index])
            entry["faults"] = [*own, *faults(grasps.metrics[index])]
        folder.finish(content)
        return grasps, tuple(warnings)

    def _write_strips(
        self,
        folder: ResultFolder,
        page: Page,
        results: Ranked,
        hand_model: HandModel,
        query: MeshQuery | None,
        progress: Progress,
    ) -> None:
        """How the best results came to be, and the hold tests of the first ones."""
        worker = self.warm_up()
        if page.moments is not None:
            shown = [page.moments(row) for row in results.order[:MOST_ROWS]]
            worker.request_progress([scenes for scenes, _ in shown], shown[0][1])
            write_whole(folder.path / folder.kind.progress_file, worker.answer())
        if query is None:
            return
        hold = (results.grasps.hold or ())[: self._strips]
        for index, record in enumerate(hold):
            progress("filming the hold test", index, len(hold))
            hands = results.grasps.hands.rows(index)
            with one_thread():
                strip = hold_strip(results.mesh(index), hand_model, hands, record, query)
            worker.request_strip(*strip)
            write_whole(folder.path / folder.kind.hold_file(index), worker.answer())


def _subtitle(page: Page, grasps: Grasps) -> str:
    num = len(grasps.metrics)
    hold = ""
    if grasps.hold is not None:
        hold = f"  ·  {sum(record.success for record in grasps.hold)} of {num} hold"
    nouns = grasps.kind.noun if num == 1 else grasps.kind.nouns
    return f"{page.about}  ·  {num} {nouns}  ·  seed {page.header['seed']}{hold}"


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
