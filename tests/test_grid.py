from itertools import pairwise

import pytest

from guidebench import grid, specs
from guidebench.artifacts import canonical
from guidebench.estimate import assumed, seconds
from guidebench.grid import Block, Cell, Job, Layout

BALLS = "sportballs"
S = ("datasets", BALLS)
CLEAN = (*S, "classifiers", "clean")
RAW = (*S, "setups", "clean/raw", "scales")
# stages whose rules have their spec among the params, see workflow/rules
WITH_SPEC = {"prepare", "train_denoiser", "train_classifier", "sensitivity", "sample", "features",
             "metrics", "collect"}  # fmt: skip


def changed(before, after):
    """Jobs of `after` whose spec is new or another than `before`, as `stage name`."""
    old = {job: canonical(specs.spec(before, job)) for job in grid.jobs(before)}
    return {
        f"{job.stage} {job.name}"
        for job in grid.jobs(after)
        if job.stage in WITH_SPEC and old.get(job) != canonical(specs.spec(after, job))
    }


def test_cells_are_setups_times_scales_in_the_configs_order(edited):
    cells = grid.cells(edited({}), BALLS)
    assert cells[:5] == [
        Cell("unguided", None),
        Cell("noise_trained/raw", 1),
        Cell("noise_trained/raw", 10),
        Cell("clean/raw", 1),
        Cell("clean/raw", 10),
    ]
    assert len(cells) == len(set(cells)) == 10
    assert [cell.path for cell in cells[:3]] == [
        "unguided/scale-none", "noise_trained/raw/scale-1", "noise_trained/raw/scale-10",
    ]  # fmt: skip
    assert Cell("clean/x0+adam", 0.1).path == "clean/x0+adam/scale-0.1"


def test_blocks_cover_every_seed_of_both_splits_once(edited):
    config = edited({(*S, "sampling"): {"selection": 40, "evaluation": 100, "block": 48}})
    assert grid.blocks(config, BALLS) == [
        Block("selection", 0, 0, 40),
        Block("evaluation", 0, 0, 48),
        Block("evaluation", 1, 48, 48),
        Block("evaluation", 2, 96, 4),
    ]
    assert grid.block(config, BALLS, "evaluation-2").start == 96
    with pytest.raises(KeyError):
        grid.block(config, BALLS, "evaluation-3")


def test_an_images_seed_depends_on_its_number_and_not_on_its_block(edited):
    def seeds(config, dataset=BALLS, split="evaluation"):
        blocks = [part for part in grid.blocks(config, dataset) if part.split == split]
        return [seed for part in blocks for seed in grid.image_seeds(config, dataset, part)]

    whole = seeds(edited({}))
    assert len(whole) == len(set(whole)) == 16
    assert all(0 <= seed < 2**63 for seed in whole)
    assert seeds(edited({(*S, "sampling", "block"): 5})) == whole
    # neither the setups nor the models enter: comparisons are paired
    assert seeds(edited({(*S, "setups"): {"unguided": {}}})) == whole
    for other in (seeds(edited({}), split="selection"), seeds(edited({}), "mnist"),
                  seeds(edited({("seed",): 1}))):  # fmt: skip
        assert not set(other) & set(whole)


def test_jobs_come_after_the_jobs_that_they_need(edited):
    config = edited({})
    jobs = list(grid.jobs(config))
    assert len(jobs) == len(set(jobs))
    stages = [job.stage for job in jobs if job.dataset == BALLS]
    order = ["prepare", "train_denoiser", "train_classifier", "sensitivity", "sample", "features",
             "metrics"]  # fmt: skip
    assert list(dict.fromkeys(stages)) == order
    assert all(order.index(a) <= order.index(b) for a, b in pairwise(stages))
    assert [job.stage for job in jobs[-4:]] == ["collect", "findings", "plots", "report"]
    assert Job("sensitivity", BALLS, "judge") not in jobs
    assert Job("features", BALLS, block="real") in jobs
    assert Job("sample", BALLS, block="real") not in jobs
    assert Job("sample", BALLS, block="evaluation-0").name == "sportballs.evaluation-0"
    assert Job("collect").name == "all"


def test_longer_work_costs_more(edited):
    short, long = edited({}), edited({(*S, "denoiser", "steps"): 400})
    job = Job("train_denoiser", BALLS)
    before, after = (seconds(c, job, {BALLS: assumed(c, BALLS)}) for c in (short, long))
    assert after > before


@pytest.mark.parametrize(
    "edits",
    [
        {("device",): "cpu"},
        {(*S, "denoiser", "checkpoint_every"): 3, (*CLEAN, "checkpoint_every"): 7},
    ],
    ids=["device", "checkpoint_every"],
)
def test_keys_that_change_no_result_change_no_spec(edits, edited):
    assert changed(edited({}), edited(edits)) == set()


def test_another_name_of_the_experiment_is_another_folder_and_no_other_work(edited):
    assert changed(edited({}), edited({("name",): "other"})) <= {"collect all"}


def test_a_classifiers_learning_rate_retrains_that_classifier_alone(edited):
    # sensitivity, samples and what follows re-run because their input changed, not their spec
    edit = {(*CLEAN, "learning_rate"): 1e-3}
    assert changed(edited({}), edited(edit)) == {"train_classifier sportballs.clean", "collect all"}


def test_a_schedule_retrains_what_sees_noise(edited):
    found = changed(edited({}), edited({(*S, "schedule", "beta_end"): 0.03}))
    assert "train_denoiser sportballs" in found
    assert "train_classifier sportballs.noise_trained" in found
    assert "train_classifier sportballs.clean" not in found
    assert not any("mnist" in job for job in found)


def test_one_data_sets_keys_leave_the_other_alone(edited):
    found = changed(edited({}), edited({("datasets", "mnist", "data", "train"): 128}))
    assert found == {"prepare mnist", "collect all"}


def test_the_seed_changes_everything(edited):
    before, after = edited({}), edited({("seed",): 1})
    jobs = {f"{job.stage} {job.name}" for job in grid.jobs(before) if job.stage in WITH_SPEC}
    assert changed(before, after) == jobs


def test_a_new_scale_is_new_cells_and_leaves_the_old_ones(edited):
    before, after = edited({}), edited({RAW: [1, 10, 100]})
    found = changed(before, after)
    assert {job.partition(" ")[0] for job in found} == {"sample", "features", "metrics", "collect"}
    assert all("mnist" not in job for job in found)
    assert "features sportballs.real" not in found
    old, new = grid.cells(before, BALLS), grid.cells(after, BALLS)
    assert set(new) - set(old) == {Cell("clean/raw", 100)}
    for cell in old:
        block = grid.blocks(before, BALLS)[0]
        found = [specs.cell_spec(config, BALLS, cell, block) for config in (before, after)]
        assert found[0] == found[1]


def test_a_cells_spec_is_its_own_setup_and_the_sampler(edited):
    before = edited({})

    def cells(edits):
        after = edited(edits)
        pairs = [
            (cell, *(specs.cell_spec(config, BALLS, cell, grid.blocks(config, BALLS)[0])
                     for config in (before, after)))
            for cell in grid.cells(before, BALLS)
        ]  # fmt: skip
        return {cell.setup for cell, old, new in pairs if old != new}

    assert cells({(*S, "setups", "clean/x0", "temperature"): 2.0}) == {"clean/x0"}
    every = {cell.setup for cell in grid.cells(before, BALLS)}
    for key, value in (("steps", 5), ("micro_batch", 4), ("clip", False)):
        assert cells({(*S, "sampling", key): value}) == every
    # how many seeds there are, and in which jobs, is no property of a cell
    assert cells({(*S, "sampling", "evaluation"): 32, (*S, "sampling", "block"): 4}) == set()
    assert cells({(*CLEAN, "learning_rate"): 1e-3}) == set()


def test_a_users_stabilizer_and_data_set_count_with_their_code(edited, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    module = tmp_path / "mine_for_grid.py"
    module.write_text("class Mine:\n    size = 1\n")
    data = {"source": "mine_for_grid:Mine", "classes": ["a", "b"], "train": 8, "validation": 8}
    name = (*S, "setups", "clean/x0", "stabilizer")
    config = edited({name: {"name": "mine_for_grid:Mine"}, (*S, "data"): data})
    jobs = [Job("prepare", BALLS), Job("sample", BALLS, block="evaluation-0")]
    first = [canonical(specs.spec(config, job)) for job in jobs]
    module.write_text("# a comment\nclass Mine:\n    size = 1\n")
    assert [canonical(specs.spec(config, job)) for job in jobs] == first
    module.write_text("class Mine:\n    size = 2\n")
    assert all(canonical(specs.spec(config, job)) != old
               for job, old in zip(jobs, first, strict=True))  # fmt: skip


def test_external_data_enters_by_sizes_and_small_files_by_content(edited, tmp_path):
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    (raw / "labels.gz").write_bytes(b"one")
    source = ("datasets", "mnist", "data")
    config = edited({source: {"source": "mnist", "root": str(tmp_path)}})
    job = Job("prepare", "mnist")
    first = specs.spec(config, job)["external"]
    assert list(first) == ["names_and_sizes", "labels.gz"]
    (raw / "labels.gz").write_bytes(b"two")
    assert specs.spec(config, job)["external"] != first
    assert specs.spec(edited({}), job)["external"] == {}


def test_every_path_of_an_experiment_is_below_its_folder(tmp_path):
    layout = Layout(tmp_path, "toy")
    paths = [layout.data("a"), layout.denoiser("a"), layout.classifier("a", "clean"),
             layout.sensitivity("a", "clean"), layout.samples("a"), layout.features("a"),
             layout.metrics("a"), layout.tables, layout.pictures, layout.figures, layout.findings,
             layout.report, layout.events("sample", "a"), layout.resume("sample", "a", "f" * 64),
             layout.block_manifest(layout.samples("a"), "evaluation-0")]  # fmt: skip
    assert len(set(paths)) == len(paths)
    assert all(path.is_relative_to(tmp_path / "toy") for path in paths)


def test_each_class_in_turn_and_picture_grids(edited):
    """Pictures have seeds, labels and steps of their own, and nobody scores them."""
    base = ("datasets", BALLS)
    config = edited({(*base, "target"): "each", (*base, "sampling", "grid_images"): 3,
                     (*base, "sampling", "grid_steps"): 7})  # fmt: skip
    blocks = grid.blocks(config, BALLS)
    pictures = [block for block in blocks if block.split == grid.PICTURES]
    assert sum(block.count for block in pictures) == 12
    assert grid.labels(config, BALLS, pictures[0]) == [0, 1, 2, 3] * 3
    assert grid.scored(config, BALLS) == blocks[: -len(pictures)]
    cell = grid.cells(config, BALLS)[0]
    assert grid.steps(config, BALLS, cell, pictures[0]) == 7
    assert grid.steps(config, BALLS, cell, blocks[0]) == config.datasets[BALLS].sampling.steps
    jobs = list(grid.jobs(config))
    assert grid.Job("sample", BALLS, block="grid-0") in jobs
    assert grid.Job("features", BALLS, block="grid-0") not in jobs
    few = edited({(*base, "sampling", "grid_images"): 3,
                  (*base, "sampling", "grid_setups"): ["unguided"]})  # fmt: skip
    assert grid.sampled(few, BALLS, pictures[0]) == [Cell("unguided", None)]
    assert grid.sampled(few, BALLS, blocks[0]) == grid.cells(few, BALLS)
    # the grid is no part of what a scored cell depends on
    plain = edited({(*base, "target"): "each"})
    specs_of = [specs.cell_spec(each, BALLS, cell, blocks[0]) for each in (config, plain)]
    assert specs_of[0] == specs_of[1]
    seeds = [set(grid.image_seeds(config, BALLS, block)) for block in blocks]
    assert len(set().union(*seeds)) == sum(map(len, seeds))
