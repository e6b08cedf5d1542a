"""The forecast: pending jobs and reasons, costs, the makespan, and the words for all of it."""

import re
from pathlib import Path

import pytest
import torch
from processes import module
from weight_files import torchvision_model

from guidebench import workload
from guidebench.base.units import size
from guidebench.models.classifier import Classifier
from guidebench.pipeline.errors import UserError
from guidebench.pipeline.experiment.reading import load
from guidebench.pipeline.experiment.sections import Attack, Setup
from guidebench.pipeline.jobs import cost_model, listing, sharing, slices
from guidebench.pipeline.jobs.layout import Job, Layout
from guidebench.pipeline.jobs.listing import jobs
from guidebench.pipeline.jobs.rates import STARTUP_SECONDS, Rates, assumed, stated
from guidebench.pipeline.jobs.sharing import Source, Survey
from guidebench.pipeline.plan.forecast import Cost, cost, lines
from guidebench.pipeline.plan.missing_jobs import Pending, missing_cells, pending
from guidebench.pipeline.plan.schedule import Task, makespan
from guidebench.pipeline.records.artifacts import SIDECAR, digest_of, read_manifest, seal
from guidebench.pipeline.records.finished_cells import remember, sidecar
from guidebench.pipeline.run.runner import Run

SMOKE = "workflow/config/smoke.yaml"


@pytest.fixture
def smoke(repository: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(repository)
    return load(SMOKE, [])


def test_a_dry_run_is_read(smoke, tmp_path: Path) -> None:
    """Of a running copy of Snakemake, by its events."""
    command = Run(smoke, SMOKE, [], 1, tmp_path, ["--quiet", "all", "--forceall"]).command()
    found = {item.job: item for item in pending(command)}
    assert set(found) == set(jobs(smoke))
    assert found[Job("prepare", "mnist")].priority == 100
    assert found[Job("train_classifier", "mnist", "judge")].mem_mb == 8000
    with pytest.raises(UserError, match=r"^MissingRuleException: No rule to produce nothing"):
        pending([*command, "nothing"])
    with pytest.raises(UserError, match="unrecognized arguments: --nothing"):
        pending([*command, "--nothing"])


def test_the_makespan_is_that_of_a_list_schedule() -> None:
    one, other, first, second, last = [
        Job("prepare", "a"),
        Job("prepare", "b"),
        Job("train_denoiser", "a"),
        Job("train_denoiser", "b"),
        Job("collect"),
    ]
    tasks = [
        Task(one, 1.0, []),
        Task(other, 2.0, [], priority=5),
        Task(first, 10.0, [one]),
        Task(second, 10.0, [other]),
        Task(last, 1.0, [first, second, Job("old")]),
    ]
    assert makespan(tasks, 2) == 2 + 10 + 1
    assert makespan(tasks, 1) == 24
    # trainings that need both workers go one after the other
    tasks[2:4] = [task._replace(workers=2) for task in tasks[2:4]]
    assert makespan(tasks, 2) == 2 + 10 + 10 + 1


def test_costs_follow_the_config(smoke) -> None:
    rates = {name: assumed(smoke, name) for name in [*smoke.datasets, *smoke.worlds]}
    priced = {job: listing.seconds(smoke, job, rates) for job in jobs(smoke)}
    assert all(value > 0 for value in priced.values())
    faster = {name: assumed(smoke, name, 1e12) for name in rates}
    training = Job("train_denoiser", "mnist")
    assert listing.seconds(smoke, training, faster) == pytest.approx(STARTUP_SECONDS)
    known = Rates(0, 0, 0.5, {}, {"none": 0.1, "cfg": 0.2, "classifier:noise_trained:raw": 1.0}, 0)
    assert listing.seconds(smoke, training, {"mnist": known}) == 0.5 * 40
    # five t: two gradients of 8 images, and of 16 images the accuracy, on x_t and on x0_pred
    known = known._replace(sampled=known.sampled | {"classifier:noise_trained:raw": 0.7})
    own = 5 * (2 * 8 * 0.6 + 16 * (0.6 / 3 + 0.1))
    implicit = 5 * 8 * (0.6 + 2 * 0.1)
    analysed = Job("sensitivity", "mnist", "noise_trained")
    found = listing.seconds(smoke, analysed, {"mnist": known})
    assert found == pytest.approx(own + implicit)
    known = known._replace(sampled=known.sampled | {"classifier:noise_trained:raw": 1.0})
    # 8 rows padded to a micro-batch of 8, four steps: unguided, guided, cfg at 0 and at 3
    sampling = Job("sample", "mnist", block="selection-0")
    expected = 8 * 4 * (0.1 + 1.0 + 0.1 + 0.2)
    assert listing.seconds(smoke, sampling, {"mnist": known}) == pytest.approx(expected)
    part = workload.block(smoke, "mnist", "selection-0")
    cells = [
        cost_model.evaluations(smoke, "mnist", part, c) for c in workload.cells(smoke, "mnist")
    ]
    assert sum(cells) == 8 * 4 * (1 + 1 + 1 + 2)


def test_a_common_unguided_prefix_is_forecast_once(smoke) -> None:
    """Of a setup with an interval, of another alike, and of what they are compared with."""
    mnist = smoke.datasets["mnist"]
    cfg = {"guidance": "cfg", "interval": (0.0, 0.75)}
    label = {"plain": Setup(conditional=True), "cfg": Setup(**cfg, scales=[1.0, 2.0])}
    label |= {"later": Setup(**cfg | {"interval": (0.0, 0.5)}, scales=[0.0, 4.0])}
    rate = Rates(0, 0, 0.5, {}, {"none": 0.1, "cfg": 0.2}, 0)

    def seconds(setups: dict[str, Setup], sampler: str) -> float:
        sampling = mnist.sampling.model_copy(update={"sampler": sampler})
        mine = mnist.model_copy(update={"setups": setups, "sampling": sampling})
        smoke.datasets["mnist"] = mine
        job = Job("sample", "mnist", block="selection-0")
        return listing.seconds(smoke, job, {"mnist": rate}) / (8 * 4 * 0.1)

    # plain, cfg at 1 and 2, later at 0 and 4: in the forecast's unit, whole unguided trajectories
    alone = 1 + 2 * (0.25 + 0.75 * 2) + 1 + (0.5 + 0.5 * 2)
    assert seconds(label, "dpmpp_2m") == pytest.approx(alone)
    # the first quarter is of five cells, the second of three
    assert seconds(label, "ddim") == pytest.approx(alone - 4 * 0.25 - 2 * 0.25)
    # a denoiser without its label begins otherwise
    free = label | {"plain": Setup()}
    assert seconds(free, "ddim") == pytest.approx(alone - 3 * 0.25 - 1 * 0.25)
    none = {"plain": Setup(), "whole": Setup(guidance="cfg", scales=[1.0])}
    assert seconds(none, "ddim") == pytest.approx(3)


def test_the_last_step_of_heun_evaluates_once(smoke) -> None:
    """It was counted as two, in a forecast of 25 steps as 50 evaluations and not 49."""
    mnist = smoke.datasets["mnist"]
    sampling = mnist.sampling.model_copy(update={"sampler": "heun"})
    smoke.datasets["mnist"] = mnist.model_copy(update={"sampling": sampling})
    part = workload.block(smoke, "mnist", "selection-0")
    found = [
        cost_model.evaluations(smoke, "mnist", part, c) for c in workload.cells(smoke, "mnist")
    ]
    assert found == [8 * (2 * 4 - 1) * passes for passes in (1, 1, 1, 2)]


def test_weights_are_counted_without_a_probe(repository: Path, tmp_path: Path, monkeypatch) -> None:
    """With stated speeds each model was 100 kB."""
    monkeypatch.chdir(repository)
    config = load("workflow/config/sportballs64.yaml", ["metrics.inception.weights=null"])
    layout, rates = Layout(tmp_path, config.name), stated(config, ["500"])

    def disk(stage: str, classifier: str = "") -> float:
        job = Job(stage, "sportballs", classifier)
        return cost(config, layout, job, rates, {}).disk

    assert disk("train_denoiser") == pytest.approx(4 * 22.41e6, rel=0.01)
    sections, path = config.datasets["sportballs"].classifiers, tmp_path / "weights.pth"
    torch.save(Classifier(sections["judge"].architecture, 4, 256).state_dict(), path)
    assert disk("train_classifier", "judge") == pytest.approx(path.stat().st_size, rel=0.01)
    # a file of weights, and a user's own network
    torch.save(torchvision_model("squeezenet1_1", 4).state_dict(), path)
    theirs = {"architecture": "squeezenet1_1", "checkpoint": str(path)}
    sections["clean"] = sections["clean"].model_copy(update=theirs)
    assert disk("train_classifier", "clean") == pytest.approx(path.stat().st_size, rel=0.05)
    own = {"architecture": "small_networks:wide", "hidden": 8, "checkpoint": None}
    (tmp_path / "small_networks.py").write_text(
        "from torch import nn\n\n\ndef wide(outputs):\n    return nn.Linear(9999, 1000)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    sections["clean"] = sections["clean"].model_copy(update=own)
    assert disk("train_classifier", "clean") == pytest.approx(4e7, rel=0.02)


def test_an_attack_is_a_pass_to_and_fro_for_each_of_its_steps(smoke) -> None:
    balls, attack = smoke.datasets["sportballs"], Attack(radius=1.0, iterations=6)
    plain = assumed(smoke, "sportballs").classifier_step["clean"]
    clean = balls.classifiers["clean"]
    balls.classifiers["clean"] = clean.model_copy(update={"adversarial": attack})
    step = assumed(smoke, "sportballs").classifier_step["clean"]
    assert step == pytest.approx(plain * (3 + 6 * 2) / 3)
    known = Rates(0, 0, 0, {}, {"none": 0.1, "classifier:noise_trained:raw": 0.7}, 0)
    analysed = Job("sensitivity", "mnist", "noise_trained")
    before = listing.seconds(smoke, analysed, {"mnist": known})
    mnist = smoke.datasets["mnist"]
    asked = mnist.sensitivity.model_copy(update={"attack": attack})
    smoke.datasets["mnist"] = mnist.model_copy(update={"sensitivity": asked})
    after = listing.seconds(smoke, analysed, {"mnist": known})
    assert after - before == pytest.approx(6 * asked.accuracy_images * 0.6)


def test_a_checkpoint_takes_no_training(smoke) -> None:
    """Its features may be more than ours; the judge's are kept."""
    job, rates = Job("train_classifier", "mnist", "judge"), {}
    before = smoke.datasets["mnist"].classifiers["judge"]
    judge = before.model_copy(update={"checkpoint": "a.pth"})
    for section, steps in ((before, before.steps), (judge, 0)):
        smoke.datasets["mnist"].classifiers["judge"] = section
        rates["mnist"] = Rates(1.0, 0, 0, {"judge": 0.5}, {}, 0)
        assert listing.seconds(smoke, job, rates) == 1.0 + 0.5 * steps
    assert cost_model.features_of(before) == before.hidden
    assert cost_model.features_of(judge) == 2048


def test_without_results_every_cell_is_missing(smoke, tmp_path: Path) -> None:
    layout, job = Layout(tmp_path, "smoke"), Job("sample", "mnist", block="evaluation-0")
    assert missing_cells(smoke, layout, job, {}) == workload.cells(smoke, "mnist")
    text = lines(smoke, sharing.survey(smoke, layout), [Pending(job)], [Cost(1.0)], {}, 2)
    assert text[-1] == "sample mnist.evaluation-0: not computed yet"


def test_columns_do_not_touch(smoke) -> None:
    """Whatever is long: times of days, many samples, jobs by the thousand."""
    item = Pending(Job("train_classifier", "mnist", "judge"), mem_mb=1_013_796)
    price = Cost(135.64 * 3600, 123_456_789, 12_345_678_901_234.0, 1.5e9)
    text = lines(smoke, Survey({}, {}, {}), [item] * 1000, [price] * 1000, {}, 2)
    columns = ["stage", "jobs", "samples", "evaluations", "all jobs", "longest", "memory", "disk"]
    assert re.split(r"  +", text[2]) == columns
    assert re.split(r"  +", text[3]) == [
        "train_classifier",
        "1,000",
        "123,456,789,000",
        "12,345,678,901,234,000",
        "135640 h 0 min",
        "135 h 38 min",
        "1.01 TB",
        "1.5 TB",
    ]
    assert len(text[2]) == len(text[3])


def test_files_are_those_of_cells_and_jobs(smoke, tmp_path: Path) -> None:
    layout, rates = Layout(tmp_path, "smoke"), stated(smoke, ["500"])
    files = {
        (stage, block): cost(smoke, layout, Job(stage, "mnist", "", block), rates, {}).files
        for stage, block in [
            ("sample", "evaluation-0"),
            ("features", "evaluation-0"),
            ("features", "real"),
            ("prepare", ""),
        ]
    }
    assert list(files.values()) == [4 + 2 * 4, 4 + 2 * 4, 4, 4]
    items = [Pending(Job(stage, "mnist", "", block)) for stage, block in files]
    costs = [Cost(1.0, files=count) for count in files.values()]
    text = lines(smoke, Survey({}, {}, {}), items, costs, {}, 2)
    assert any(line.endswith(", 32 files") for line in text)


@pytest.mark.parametrize("lost", [".npz", SIDECAR, "torn", "truncated", "another key"])
def test_a_cell_without_its_images_or_its_key_is_missing(smoke, tmp_path: Path, lost: str) -> None:
    layout, job = Layout(tmp_path, "smoke"), Job("sample", "mnist", block="evaluation-0")
    block, cells = workload.block(smoke, "mnist", "evaluation-0"), workload.cells(smoke, "mnist")
    guides = workload.used_guides(smoke, "mnist")
    trained = {name: Job("train_classifier", "mnist", name) for name in guides}
    trained["denoiser"] = Job("train_denoiser", "mnist")
    models = {name: digest_of(name) for name in trained}
    contents = {source: models[name] for name, source in trained.items()}
    for cell in cells:
        path = layout.samples("mnist") / cell.path / f"{block.name}.npz"
        key = slices.cell_key(smoke, "mnist", cell, block, models)
        path.parent.mkdir(parents=True)
        path.write_bytes(b"images")
        remember(path, key, layout.root, {"stages.sample:run", "diffusion.samplers:ddim"})
    assert missing_cells(smoke, layout, job, contents) == []
    path = layout.samples("mnist") / cells[0].path / f"{block.name}.npz"
    if lost == "torn":
        sidecar(path).write_text("{")
    elif lost == "truncated":
        path.write_bytes(b"image")
    elif lost == "another key":
        seal(sidecar(path), read_manifest(sidecar(path)) | {"key": "0"})
    else:
        path.with_suffix(lost).unlink()
    assert missing_cells(smoke, layout, job, contents) == cells[:1]
    # what a network draws is not known before it is trained
    del contents[trained["denoiser"]]
    assert missing_cells(smoke, layout, job, contents) == cells


def test_nothing_to_do_is_said_in_one_line(smoke) -> None:
    text = lines(smoke, Survey({}, {}, {}), [], [], {}, 2)
    assert text == ["smoke: 33 jobs, 33 up to date, 0 to run", "nothing to do"]


def test_reasons_are_those_of_what_is_stale(smoke) -> None:
    names = ("selection-0", "evaluation-0")
    items = [Pending(Job("sample", "mnist", block=name)) for name in names]
    items.append(Pending(Job("report")))
    reasons = {item.job: "changed: seed: 1 -> 2" for item in items[:2]}
    text = lines(smoke, Survey(reasons, {}, {}), items, [Cost(1.0)] * 3, {}, 2)
    assert text[-2:] == [
        "sample mnist.selection-0, mnist.evaluation-0: changed: seed: 1 -> 2",
        "report: asked for",
    ]


def test_what_is_taken_over_is_neither_up_to_date_nor_to_run(smoke, tmp_path: Path) -> None:
    source = Source(Layout(tmp_path, "other"), {})
    taken = [Job("prepare", "mnist"), Job("train_denoiser", "mnist"), Job("prepare", "sportballs")]
    found = Survey({Job("report"): "not computed yet"}, dict.fromkeys(taken, source), {})
    text = lines(smoke, found, [Pending(Job("report"))], [Cost(1.0)], {}, 2)
    assert text[:2] == [
        "smoke: 33 jobs, 29 up to date, 3 taken, 1 to run",
        "taken from other: prepare 2, train_denoiser 1",
    ]


def test_a_better_block_is_named_where_jobs_are_short(smoke) -> None:
    job = Job("sample", "mnist", block="evaluation-0")
    text = lines(
        smoke,
        Survey({}, {}, {}),
        [Pending(job)] * 80,
        [Cost(60.0, 16, 100.0, 10.0)] * 80,
        {},
        2,
    )
    assert any("with sampling.block 392 instead of 16" in line for line in text)
    fine = lines(
        smoke,
        Survey({}, {}, {}),
        [Pending(job)] * 80,
        [Cost(1200.0, 16, 100.0, 10.0)] * 80,
        {},
        2,
    )
    assert not any("sampling.block" in line for line in fine)


@pytest.mark.parametrize(("asked", "rate"), [(["100"], 0.01), (["100", "mnist=50"], 0.02)])
def test_stated_speeds(asked: list[str], rate: float, smoke) -> None:
    assert stated(smoke, asked)["mnist"].sampled["none"] == rate


@pytest.mark.parametrize("asked", ["fast", "0", "-3", "mnist=", "faces=3", "nan"])
def test_a_wrong_speed_is_one_line(asked: str, smoke) -> None:
    with pytest.raises(UserError, match=r"--images-per-second: found .*, allowed: a number above"):
        stated(smoke, [asked])


def test_sizes() -> None:
    assert [size(n) for n in (12, 3_456, 7.1e6, 2e13)] == ["12 B", "3.46 kB", "7.1 MB", "20 TB"]


def test_the_command_on_a_stated_target(repository: Path) -> None:
    stated_speed = ["--images-per-second", "1000", "--workers", "4"]
    # nor was anything of it, which would be taken over
    never = ["--set", "name=never_run", "--set", "seed=20261126"]
    done = module("guidebench", "plan", "--config", SMOKE, *stated_speed, *never, cwd=repository)
    assert done.returncode == 0, done.stderr
    assert "never_run: 33 jobs, 0 up to date, 33 to run" in done.stdout
    assert "with 4 jobs at a time" in done.stdout
    assert "prepare sportballs, mnist: not computed yet" in done.stdout
