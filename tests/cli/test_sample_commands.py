"""`bghop sample`, `complete` and `grasp --method prior` from the command line."""

import json
import re
import subprocess
import sys

import pytest

from bghop.cli import main
from bghop.errors import OptionError
from bghop.jobs.grasp import ObjectResult

FAST = ["--steps", "2", "--guidance", "1", "--no-refine", "--num", "1"]


@pytest.fixture(scope="module")
def sampled(checkpoint, draws_nothing, tmp_path_factory):
    """Results of `bghop sample`, two of them; not to be changed."""
    out = tmp_path_factory.mktemp("sampled") / "out"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bghop.jobs.result_writer.SheetWorker", draws_nothing)
        args = ["sample", "mug", "--out", str(out), "--checkpoint", checkpoint, *FAST, "--quiet"]
        assert main(args) == 0
    return out


@pytest.mark.usefixtures("fast_jobs")
def test_a_word_ends_with_a_table_and_where_the_files_are(sampled, checkpoint, capsys):
    args = ["sample", "mug", "--out", str(sampled), "--checkpoint", checkpoint, *FAST]
    assert main(args) == 0
    shown = capsys.readouterr()
    assert f"mug: 1 interactions, 0 without a fault, in {sampled}" in shown.out
    assert "finished before, kept" in shown.err
    assert main([*args, "--json"]) == 0
    entry = json.loads(capsys.readouterr().out)
    assert (entry["name"], entry["state"]) == ("mug", "kept")
    assert entry["interactions"][0]["object"]["closed"]


@pytest.mark.slow
@pytest.mark.usefixtures("fast_jobs")
def test_an_empty_prompt_is_any_object(checkpoint, tmp_path, capsys):
    args = ["sample", "", "--out", str(tmp_path / "out"), "--checkpoint", checkpoint, *FAST]
    assert main(args) == 0
    shown = capsys.readouterr()
    assert "any object: 1 interactions" in shown.out
    for stage in ("sampling", "measuring", "writing scenes", "drawing"):
        assert f"any object: {stage}" in shown.err


@pytest.mark.slow
@pytest.mark.usefixtures("fast_jobs")
def test_completing_and_grasping_are_quiet_if_asked(
    sampled, checkpoint, tmp_path, box_file, capsys
):
    out = [str(tmp_path / name) for name in ("a", "b")]
    rest = ["--checkpoint", checkpoint, "--quiet", "--num", "1", "--no-refine", "--steps", "2"]
    assert main(["complete", f"{sampled}#0", "--keep", "object, left", "--out", out[0], *rest]) == 0
    assert main(["grasp", box_file, "--method", "prior", "--out", out[1], *rest]) == 0
    assert capsys.readouterr() == ("", "")
    assert (tmp_path / "a" / "interactions.json").is_file()
    assert (tmp_path / "b" / "grasps.json").is_file()


SAMPLE = {
    "no_prompt": (["sample", "--checkpoint", "C"], r"PROMPT.*--help"),
    "checkpoint_missing": (["sample", "mug", "--checkpoint", "/no/such"], r"bghop train prior"),
    "steps": (["sample", "mug", "--checkpoint", "C", "--steps", "0"], r"use 1 to"),
    "num": (["sample", "mug", "--checkpoint", "C", "--num", "0"], r"use 1 to"),
    "seed": (["sample", "mug", "--checkpoint", "C", "--seed=-1"], r"use 0 to"),
    "guidance": (["sample", "mug", "--checkpoint", "C", "--guidance", "nan"], r"use 1"),
    "hands": (["sample", "mug", "--checkpoint", "C", "--hands", "three"], r"--help"),
    "device": (["sample", "mug", "--checkpoint", "C", "--device", "quantum"], r"auto, cpu"),
    "long": (["sample", "mug " * 400, "--checkpoint", "C"], r"at most 1000"),
    "mano": (["sample", "mug", "--checkpoint", "C", "--mano", "/m"], r"leave out --mano"),
    "no_object": (["sample", "and the of", "--checkpoint", "C"], r"names no object"),
    "text_model": (["sample", "mug", "--checkpoint", "C", "--text-model", "/t"], r"--text-model"),
    "keep_nothing": (["complete", "S", "--keep", ",", "--checkpoint", "C"], r"one or two of"),
    "keep_all": (
        ["complete", "S", "--keep", "object,left,right", "--checkpoint", "C"], r"leave out one"
    ),
    "keep_unknown": (["complete", "S", "--keep", "foot", "--checkpoint", "C"], r"one or two of"),
    "no_keep": (["complete", "S", "--checkpoint", "C"], r"--keep.*--help"),
    "no_such_result": (
        ["complete", "S#7", "--keep", "object", "--checkpoint", "C"], r"no result #7: use 0"
    ),
    "no_such_folder": (
        ["complete", "/no/such", "--keep", "object", "--checkpoint", "C"], r"give a folder"
    ),
    "index": (
        ["complete", "S", "--index=-1", "--keep", "object", "--checkpoint", "C"], r"use 0 or more"
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", SAMPLE)
def test_bad_input_is_one_line_with_the_remedy(case, sampled, checkpoint, tmp_path, capsys):
    args, remedy = SAMPLE[case]
    known = {"C": checkpoint, "S": str(sampled)}
    args = [known.get(arg, arg.replace("S#", f"{sampled}#")) for arg in args]
    assert main([*args, "--out", str(tmp_path / "new" / "out")]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    last = shown.err.splitlines()[-1]
    assert last.startswith("bghop: error: ")
    assert re.search(remedy, last), last
    assert len(shown.err.splitlines()) == 1
    assert "Traceback" not in shown.err
    assert list(tmp_path.iterdir()) == []


def test_every_option_is_passed_on(monkeypatch, tmp_path, capsys):
    jobs = []

    def record(job, **_):
        jobs.append(job)
        return ObjectResult(name="x", folder=tmp_path, state="done")

    monkeypatch.setattr("bghop.jobs.interactions.run_sample_job", record)
    monkeypatch.setattr("bghop.jobs.interactions.run_complete_job", record)
    both = "--out o --checkpoint c --num 3 --seed 4 --steps 9 --guidance 3 --no-refine"
    both += " --text-model t --mano m --device cpu --overwrite"
    assert main(["sample", "a mug", *both.split(), "--hands", "left"]) == 0
    more = ["--keep", "object,left", "--index", "2", "--text", "cup"]
    assert main(["complete", "run#1", *both.split(), *more]) == 0
    sample, complete = jobs
    for job in jobs:
        assert (job.num, job.seed, job.steps, job.guidance, job.refine) == (3, 4, 9, 3.0, False)
        assert [str(path) for path in (job.out, job.checkpoint, job.text_model, job.mano)] == [
            "o", "c", "t", "m",
        ]  # fmt: skip
        assert (job.device, job.overwrite) == ("cpu", True)
    assert (sample.prompt, sample.hands) == ("a mug", "left")
    assert (complete.interaction, complete.index) == ("run#1", 2)
    assert (complete.keep, complete.text) == (("object", "left"), "cup")
    capsys.readouterr()


def test_grasp_options_of_a_prior_are_passed_on(monkeypatch):
    jobs = []

    def record(job, **_):
        jobs.append(job)
        return []

    monkeypatch.setattr("bghop.jobs.grasp.run_grasp_job", record)
    args = "grasp a.obj --out o --method sds --checkpoint c --text-model t --no-refine"
    assert main([*args.split(), "--progress-strip", "50,0,150"]) == 0
    (job,) = jobs
    assert (job.method, str(job.checkpoint), str(job.text_model)) == ("sds", "c", "t")
    assert (job.refine, job.progress_strip) == (False, (0, 50, 150))


@pytest.mark.parametrize("verb", ["sample", "complete"])
def test_help_imports_nothing_heavy(verb):
    code = (
        "import sys; from bghop.cli import main; code = main([sys.argv[1], '--help'])\n"
        "import bghop.jobs.prior_options\n"
        "heavy = {'torch', 'numpy', 'trimesh', 'pyvista', 'PIL', 'igl', 'jaxtyping'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules); sys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, verb], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "--checkpoint" in done.stdout


@pytest.mark.usefixtures("fast_jobs")
def test_ctrl_c_while_sampling_is_one_line_and_130(checkpoint, tmp_path, capsys, monkeypatch):
    def interrupted(*_args, **_options):
        raise KeyboardInterrupt

    monkeypatch.setattr("bghop.jobs.interactions.sample_interactions", interrupted)
    args = ["sample", "mug", "--out", str(tmp_path / "out"), "--checkpoint", checkpoint, *FAST]
    assert main([*args, "--quiet"]) == 130
    assert capsys.readouterr().err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_word_says_what_the_text_encoder_says(checkpoint, tmp_path, capsys, monkeypatch):
    def unknown(_self, _name):
        raise OptionError("'zorbl' is not among the object names: use one of those")

    monkeypatch.setattr("bghop.prior.text.object_text.ObjectText._embed", unknown)
    args = ["sample", "zorbl", "--out", str(tmp_path / "out"), "--checkpoint", checkpoint, *FAST]
    assert main(args) == 2
    assert "'zorbl' is not among" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
