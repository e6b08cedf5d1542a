"""Which jobs' slices of the config an edit changes."""

import pytest

from guidebench import workload
from guidebench.base.cells import Cell
from guidebench.pipeline.jobs import listing, slices
from guidebench.pipeline.jobs.layout import Job
from guidebench.pipeline.jobs.listing import jobs
from guidebench.pipeline.records import code
from guidebench.pipeline.records.artifacts import canonical, ordered_digest

BALLS = "sportballs"
S = ("datasets", BALLS)
CLEAN = (*S, "classifiers", "clean")
# these read tables, findings and figures alone
DRAWN = {"findings", "plots", "report"}
RAW = (*S, "setups", "clean/raw", "scales")


def changed(before, after):
    """Jobs of `after` whose spec is new or another than `before`, as `stage name`."""
    old = {job: canonical(listing.spec(before, job)) for job in jobs(before)}
    return {
        f"{job.stage} {job.name}"
        for job in jobs(after)
        if old.get(job) != canonical(listing.spec(after, job))
    }


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


def test_where_files_lie_changes_no_spec(edited):
    """They are known by their content, see `outside_files`."""
    source = ("datasets", "mnist", "data")
    here, there = (edited({(*source, "root"): root}) for root in ("/data", "/scratch/data"))
    assert changed(here, there) == set()
    denoiser = (*S, "denoiser")
    here, there = (edited({denoiser: {"checkpoint": path}}) for path in ("/data", "/scratch/data"))
    assert changed(here, there) == set()
    hub = edited({denoiser: {"checkpoint": "a/b", "revision": "0" * 40}})
    assert changed(here, hub) == set()
    assert changed(edited({}), here) == {"train_denoiser sportballs", "collect all"}
    weights = ("metrics", "inception", "weights")
    here, there = (edited({weights: path}) for path in ("/a.pth", "/b.pth"))
    assert changed(here, there) == set()
    assert changed(edited({}), here) >= {"features sportballs.real", "metrics mnist"}
    other = edited({weights: "/a.pth", ("metrics", "inception", "sha256"): "0" * 64})
    assert changed(here, other) >= {"features sportballs.real", "metrics mnist"}


def test_a_checkpoint_is_not_known_by_its_place(edited):
    """Nor does it see the schedule; the data set's other classifiers are as they were."""
    section = {"architecture": "resnet18", "checkpoint": "/a.pth", "noise_trained": True}
    here = edited({CLEAN: section})
    assert changed(here, edited({CLEAN: section | {"checkpoint": "/scratch/b.bin"}})) == set()
    found = changed(edited({CLEAN: section | {"checkpoint": None}}), here)
    assert found == {"train_classifier sportballs.clean", "collect all"}
    found = changed(here, edited({CLEAN: section, (*S, "schedule", "beta_end"): 0.03}))
    assert "train_classifier sportballs.clean" not in found
    found = changed(here, edited({CLEAN: section | {"outputs": [3, 1, 0, 2]}}))
    assert found == {"train_classifier sportballs.clean", "collect all"}


def test_a_thousand_betas_are_a_digest_in_every_cell(edited):
    betas = [0.001 * k for k in range(1, 21)]
    section = {"name": "ddpm_betas", "timesteps": 20, "betas": betas}
    before = edited({(*S, "schedule"): section})
    job = Job("sample", BALLS, block="evaluation-0")
    assert len(canonical(listing.spec(before, job)["cells"][0]["schedule"])) < 200
    after = edited({(*S, "schedule"): section | {"betas": [*betas[:-1], 0.5]}})
    assert f"sample {BALLS}.evaluation-0" in changed(before, after)


def test_another_name_of_the_experiment_is_another_folder_and_no_other_work(edited):
    assert changed(edited({}), edited({("name",): "other"})) <= {"collect all"}


def test_a_classifiers_learning_rate_retrains_that_classifier_alone(edited):
    # sensitivity, samples and what follows re-run because their input changed, not their spec
    edit = {(*CLEAN, "learning_rate"): 1e-3}
    assert changed(edited({}), edited(edit)) == {"train_classifier sportballs.clean", "collect all"}


def test_an_attack_is_of_the_classifier_that_trains_on_it_or_of_the_analysis(edited):
    attack = {"radius": 1.0}
    found = changed(edited({}), edited({(*CLEAN, "adversarial"): attack}))
    assert found == {"train_classifier sportballs.clean", "collect all"}
    found = changed(edited({}), edited({(*S, "sensitivity", "attack"): attack}))
    names = {"clean", "noise_trained"}
    assert found == {*(f"sensitivity {BALLS}.{name}" for name in names), "collect all"}


@pytest.mark.parametrize(("key", "value"), [("precision", "bf16"), ("compile", True)])
def test_how_a_network_runs_is_of_those_that_it_gives_numbers(key, value, edited):
    """The analysis of the forward process is in float32, whatever the samples are."""
    found = changed(edited({}), edited({(*S, "sampling", key): value}))
    blocks = {f"sample {BALLS}.{split}-0" for split in ("selection", "evaluation")}
    assert found == {*blocks, "collect all"}
    training = {"precision": "mixed_precision"}.get(key, key)
    found = changed(edited({}), edited({(*S, "denoiser", training): value}))
    assert found == {f"train_denoiser {BALLS}", "collect all"}


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
    every = {f"{job.stage} {job.name}" for job in jobs(before) if job.stage not in DRAWN}
    assert changed(before, after) == every


def test_a_new_scale_is_new_cells_and_leaves_the_old_ones(edited):
    before, after = edited({}), edited({RAW: [1, 10, 100]})
    found = changed(before, after)
    assert {job.partition(" ")[0] for job in found} == {"sample", "features", "metrics", "collect"}
    assert all("mnist" not in job for job in found)
    assert "features sportballs.real" not in found
    old, new = workload.cells(before, BALLS), workload.cells(after, BALLS)
    assert set(new) - set(old) == {Cell("clean/raw", 100)}
    for cell in old:
        block = workload.blocks(before, BALLS)[0]
        found = [slices.cell_spec(config, BALLS, cell, block) for config in (before, after)]
        assert found[0] == found[1]


def test_a_cells_spec_is_its_own_setup_and_the_sampler(edited):
    before = edited({})

    def cells(edits):
        after = edited(edits)
        pairs = [
            (
                cell,
                *(
                    slices.cell_spec(config, BALLS, cell, workload.blocks(config, BALLS)[0])
                    for config in (before, after)
                ),
            )
            for cell in workload.cells(before, BALLS)
        ]
        return {cell.setup for cell, old, new in pairs if old != new}

    assert cells({(*S, "setups", "clean/x0", "temperature"): 2.0}) == {"clean/x0"}
    every = {cell.setup for cell in workload.cells(before, BALLS)}
    for key, value in (("steps", 5), ("micro_batch", 4), ("clip", False)):
        assert cells({(*S, "sampling", key): value}) == every
    # how many seeds there are, and in which jobs, is no property of a cell
    assert cells({(*S, "sampling", "evaluation"): 32, (*S, "sampling", "block"): 4}) == set()
    assert cells({(*CLEAN, "learning_rate"): 1e-3}) == set()


COMPAT = ("sensitivity", "paper_compat")
EMA = (*S, "setups", "clean/x0+ema0.9")


@pytest.mark.parametrize(
    ("switches", "classifiers"),
    [
        (["same_time"], {"clean"}),
        (["shared_state"], {"clean"}),
        (["clean_at_zero"], {"clean", "noise_trained"}),
    ],
)
def test_a_switch_of_the_analysis_is_of_those_it_acts_on(switches, classifiers, edited):
    found = changed(edited({}), edited({(*S, *COMPAT): switches}))
    asked = {f"sensitivity {BALLS}.{name}" for name in classifiers}
    assert found == {*asked, "collect all"}


@pytest.mark.parametrize(
    "edit",
    [
        {(*EMA, "paper_compat"): ["raw_logit"]},
        {(*EMA, "paper_compat"): ["carried_state"]},
        {(*EMA, "paper_compat"): ["half_precision"]},
        {(*EMA, "clip_gradient"): "zero"},
    ],
)
def test_a_switch_of_a_setup_is_of_its_cells_alone(edit, edited):
    before, after = edited({}), edited(edit)
    assert changed(before, after) == {
        *(f"sample {BALLS}.{split}-0" for split in ("selection", "evaluation")),
        "collect all",
    }
    block = workload.blocks(before, BALLS)[0]
    for cell in workload.cells(before, BALLS):
        old, new = (slices.cell_spec(config, BALLS, cell, block) for config in (before, after))
        assert (old != new) == (cell.setup == "clean/x0+ema0.9")


def test_switches_of_images_and_training_are_of_their_jobs(edited):
    balls = {(*S, "data", "paper_compat"): ["one_draw"]}
    assert changed(edited({}), edited(balls)) == {f"prepare {BALLS}", "collect all"}
    trained = {(*S, "denoiser", "paper_compat"): ["validation_images"]}
    assert changed(edited({}), edited(trained)) == {f"train_denoiser {BALLS}", "collect all"}


def test_a_drawn_reference_is_of_the_metrics_alone(edited):
    found = changed(edited({}), edited({("metrics", "paper_compat"): ["drawn_reference"]}))
    assert found == {f"metrics {BALLS}", "metrics mnist", "collect all"}


def test_a_setups_own_clip_gradient_is_all_that_it_depends_on(edited):
    def spec(edits, setup):
        config = edited(edits)
        return slices.cell_spec(config, BALLS, Cell(setup, 1), workload.blocks(config, BALLS)[0])

    own, shared = {(*EMA, "clip_gradient"): "zero"}, {(*S, "sampling", "clip_gradient"): "zero"}
    setup = "clean/x0+ema0.9"
    assert spec(own, setup) == spec(own | shared, setup) == spec(shared, setup) != spec({}, setup)
    assert spec({}, "clean/x0") == spec(own, "clean/x0") != spec(own | shared, "clean/x0")


def test_a_carried_state_depends_on_the_order_of_its_block(edited):
    """Which seeds come before is in a cell's key, and so are the sizes of its micro-batches."""
    carried = {(*EMA, "paper_compat"): ["carried_state"]}
    cell, models = Cell("clean/x0+ema0.9", 1), {"denoiser": "d", "clean": "c"}

    def key(edits):
        config = edited(carried | edits)
        block = workload.block(config, BALLS, "evaluation-0")
        return slices.cell_key(config, BALLS, cell, block, models)

    assert key({}) == key({(*S, "sampling", "selection"): 16})
    for size in ("block", "micro_batch"):
        assert key({}) != key({(*S, "sampling", size): 4})


@pytest.mark.parametrize(
    ("key", "value", "block"),
    [
        ("grid_setups", ["clean/raw"], "grid-0"),
        ("grid_steps", 3, "grid-0"),
        ("trajectories", 1, "evaluation-0"),
    ],
)
def test_what_is_shown_samples_its_own_block_alone(key, value, block, edited):
    sheets = {(*S, "sampling", "grid_images"): 2}
    found = changed(edited(sheets), edited(sheets | {(*S, "sampling", key): value}))
    assert found == {f"sample {BALLS}.{block}", "collect all"}
    assert changed(edited({}), edited(sheets)) == {f"sample {BALLS}.grid-0", "collect all"}


def test_a_users_stabilizer_and_data_set_count_with_their_code(edited, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    module = tmp_path / "mine_for_grid.py"
    module.write_text("class Mine:\n    size = 1\n")
    data = {"source": "mine_for_grid:Mine", "classes": ["a", "b"], "train": 8, "validation": 8}
    name = (*S, "setups", "clean/x0", "stabilizer")
    config = edited({name: {"name": "mine_for_grid:Mine"}, (*S, "data"): data})
    two = [Job("prepare", BALLS), Job("sample", BALLS, block="evaluation-0")]
    first = [canonical(listing.spec(config, job)) for job in two]
    module.write_text("# a comment\nclass Mine:\n    size = 1\n")
    code.forget()
    assert [canonical(listing.spec(config, job)) for job in two] == first
    module.write_text("class Mine:\n    size = 2\n")
    code.forget()
    assert all(
        canonical(listing.spec(config, job)) != old for job, old in zip(two, first, strict=True)
    )


def test_a_stage_without_a_slice_is_refused(edited):
    """It would never be stale."""
    config = edited({})
    for job in jobs(config):
        assert listing.spec(config, job) or job.stage in DRAWN
    with pytest.raises(KeyError):
        listing.spec(config, Job("smaple", BALLS))


def test_the_order_of_samplers_and_setups_counts(edited):
    """The first sampler is the one that is shown."""
    world = ("worlds", "two", "samplers")
    here = edited({})
    names = list(here.worlds["two"].samplers)
    values = {name: here.worlds["two"].samplers[name].model_dump() for name in reversed(names)}
    there = edited({world: values})
    assert here == there
    job = Job("ground_truth", "two")
    first, second = (ordered_digest(listing.spec(config, job)) for config in (here, there))
    assert first != second


def test_a_users_architecture_counts_wherever_it_runs(edited, tmp_path, monkeypatch):
    """In eval mode, at other times and in gradients its code does what training never did."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "own_net.py").write_text("def net(outputs):\n    return outputs\n")
    code.forget()
    config = edited({(*CLEAN, "architecture"): "own_net:net"})
    before = {job: canonical(listing.spec(config, job)) for job in jobs(config)}
    (tmp_path / "own_net.py").write_text("def net(outputs):\n    return 2 * outputs\n")
    code.forget()
    found = {job for job in jobs(config) if canonical(listing.spec(config, job)) != before[job]}
    expected = {
        job
        for job in jobs(config)
        if job.dataset == BALLS
        and job.stage in ("sample", "features", "train_classifier", "sensitivity")
        and job.classifier in ("", "clean")
    }
    assert found == expected


def test_a_setups_own_clip_samples_its_cells_alone(edited):
    """At its default it is in no slice; said to be what it is anyway, it changes nothing."""
    unguided = (*S, "setups", "unguided")
    before, same, other = (edited({unguided: {"clip": clip}}) for clip in (None, True, False))
    assert {name.split()[0] for name in changed(before, same)} <= {"collect"}
    assert {name.split()[0] for name in changed(before, other)} == {"sample", "collect"}
    specs = [
        slices.cell_spec(one, BALLS, Cell("unguided"), workload.blocks(one, BALLS)[0])
        for one in (before, same, other)
    ]
    assert "clip" not in specs[0]["setup"]
    assert [spec["sampling"]["clip"] for spec in specs] == [True, True, False]
