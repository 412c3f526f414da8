"""Two hands on a shape, from Python: find grasps, measure them, save the best as a GLB scene."""

from pathlib import Path

import bghop
from bghop.drawing.export import scene_glb
from bghop.drawing.scene import Scene
from bghop.geometry.shapes import torus

wheel = torus(0.14, 0.016, name="steering wheel")
hands = bghop.load_open_hand()
found = bghop.synthesize(wheel, hand_model=hands, num=4, seed=0)

solid = bghop.solid_of_mesh(wheel)
for index in range(len(found.energy)):
    metrics = bghop.measure_grasp(solid, hands, found.hands.rows(index), time_s=0.0)
    depth = max(x for x in metrics.penetration_depth_mm if x is not None)
    problems = ", ".join(bghop.faults(metrics)) or "none"
    print(
        f"grasp {index}: energy {float(found.energy[index]):.2f}, deepest {depth:.1f} mm, "
        f"fingers in contact {metrics.fingers_in_contact}, faults: {problems}"
    )

vertices = hands.pose_hands(found.hands).vertices_object[0].numpy()
faces = hands.closed_faces.numpy()
scene = Scene(
    object=(wheel.vertices, wheel.faces),
    hands=((vertices[0], faces[0]), (vertices[1], faces[1])),
)
out = Path("out/examples")
out.mkdir(parents=True, exist_ok=True)
(out / "steering_wheel.glb").write_bytes(scene_glb(scene))
print(f"best grasp: {out / 'steering_wheel.glb'}")
