import pytest

from guidebench import workload
from guidebench.base.cells import Cell
from guidebench.pipeline.jobs import slices
from guidebench.pipeline.jobs.layout import Job
from guidebench.pipeline.jobs.listing import inputs, jobs
from guidebench.workload import Block

BALLS = "sportballs"
S = ("datasets", BALLS)


def test_cells_are_setups_times_scales_in_the_configs_order(edited):
    cells = workload.cells(edited({}), BALLS)
    assert cells[:5] == [
        Cell("unguided", None),
        Cell("noise_trained/raw", 1),
        Cell("noise_trained/raw", 10),
        Cell("clean/raw", 1),
        Cell("clean/raw", 10),
    ]
    assert len(cells) == len(set(cells)) == 10
    assert [cell.path for cell in cells[:3]] == [
        "unguided/scale-none",
        "noise_trained/raw/scale-1",
        "noise_trained/raw/scale-10",
    ]
    assert Cell("clean/x0+adam", 0.1).path == "clean/x0+adam/scale-0.1"


def test_blocks_cover_every_seed_of_both_splits_once(edited):
    config = edited({(*S, "sampling"): {"selection": 40, "evaluation": 100, "block": 48}})
    assert workload.blocks(config, BALLS) == [
        Block("selection", 0, 0, 40),
        Block("evaluation", 0, 0, 48),
        Block("evaluation", 1, 48, 48),
        Block("evaluation", 2, 96, 4),
    ]
    assert workload.block(config, BALLS, "evaluation-2").start == 96
    for name in (
        "evaluation-3",
        "evaluation-02",
        "evaluation-x",
        "evaluation--1",
        "grid-0",
        "real",
    ):
        with pytest.raises(KeyError):
            workload.block(config, BALLS, name)


def test_an_images_seed_depends_on_its_number_and_not_on_its_block(edited):
    def seeds(config, dataset=BALLS, split="evaluation"):
        blocks = [part for part in workload.blocks(config, dataset) if part.split == split]
        return [seed for part in blocks for seed in workload.image_seeds(config, dataset, part)]

    whole = seeds(edited({}))
    assert len(whole) == len(set(whole)) == 16
    assert all(0 <= seed < 2**63 for seed in whole)
    assert seeds(edited({(*S, "sampling", "block"): 5})) == whole
    # neither the setups nor the models enter: comparisons are paired
    assert seeds(edited({(*S, "setups"): {"unguided": {}}})) == whole
    for other in (
        seeds(edited({}), split="selection"),
        seeds(edited({}), "mnist"),
        seeds(edited({("seed",): 1})),
    ):
        assert not set(other) & set(whole)


def test_each_class_in_turn_and_picture_grids(edited):
    """Pictures have seeds, labels and steps of their own, and nobody scores them."""
    base = ("datasets", BALLS)
    config = edited(
        {
            (*base, "target"): "each",
            (*base, "sampling", "grid_images"): 3,
            (*base, "sampling", "grid_steps"): 7,
        }
    )
    blocks = workload.blocks(config, BALLS)
    pictures = [block for block in blocks if block.split == workload.PICTURES]
    assert sum(block.count for block in pictures) == 12
    assert workload.labels(config, BALLS, pictures[0]) == [0, 1, 2, 3] * 3
    assert workload.scored(config, BALLS) == blocks[: -len(pictures)]
    cell = workload.cells(config, BALLS)[0]
    assert workload.steps(config, BALLS, cell, pictures[0]) == 7
    assert workload.steps(config, BALLS, cell, blocks[0]) == config.datasets[BALLS].sampling.steps
    every = list(jobs(config))
    assert Job("sample", BALLS, block="grid-0") in every
    assert Job("features", BALLS, block="grid-0") not in every
    few = edited(
        {(*base, "sampling", "grid_images"): 3, (*base, "sampling", "grid_setups"): ["unguided"]}
    )
    assert workload.sampled(few, BALLS, pictures[0]) == [Cell("unguided", None)]
    assert workload.sampled(few, BALLS, blocks[0]) == workload.cells(few, BALLS)
    # the grid is no part of what a scored cell depends on
    plain = edited({(*base, "target"): "each"})
    specs_of = [slices.cell_spec(each, BALLS, cell, blocks[0]) for each in (config, plain)]
    assert specs_of[0] == specs_of[1]
    seeds = [set(workload.image_seeds(config, BALLS, block)) for block in blocks]
    assert len(set().union(*seeds)) == sum(map(len, seeds))


def test_the_best_scales_alone_have_more_seeds(edited):
    finalists = {"scales": 1, "evaluation": 48}
    sampling = {"evaluation": 20, "block": 16, "selection": 8}
    plain = edited({(*S, "sampling", key): value for key, value in sampling.items()})
    sampling["finalists"] = finalists
    config = edited({(*S, "sampling", key): value for key, value in sampling.items()})
    # no block is sampled by all in one part and by some in the other
    evaluated = [block[1:] for block in workload.evaluated(config, BALLS)]
    assert evaluated == [(0, 0, 16), (1, 16, 4), (2, 20, 16), (3, 36, 12)]
    for block in workload.blocks(config, BALLS):
        assert workload.block(config, BALLS, block.name) == block
    # of these setups some scales do not go on; the others have one
    assert workload.contested(config, BALLS) == [
        "noise_trained/raw",
        "clean/raw",
        "clean/x0+ema0.99",
    ]
    every, decision = list(jobs(config)), Job("finalists", BALLS)
    for number, job in enumerate(every):
        assert set(inputs(config, job)) <= set(every[:number])
        late = job.block in ("evaluation-2", "evaluation-3")
        reads = job.stage == "sample" and job.dataset == BALLS and late
        last = job.stage in ("collect", "report")
        assert (decision in inputs(config, job)) == (reads or last)
    first, later = (workload.block(config, BALLS, f"evaluation-{number}") for number in (1, 2))
    assert workload.expected(config, BALLS, first) == workload.cells(config, BALLS)
    going_on = [cell.setup for cell in workload.expected(config, BALLS, later)]
    assert going_on == list(config.datasets[BALLS].setups)
    # it decides who is sampled, not what a sample is
    cell = Cell("clean/raw", 1.0)
    specs = [slices.cell_spec(one, BALLS, cell, first) for one in (config, plain)]
    assert specs[0] == specs[1]


def test_nobody_drops_out_where_all_scales_are_finalists(edited):
    config = edited({(*S, "sampling", "finalists"): {"scales": 2, "evaluation": 32}})
    assert not any(job.stage == "finalists" for job in jobs(config))
    last = workload.evaluated(config, BALLS)[-1]
    assert (last.start, last.count) == (16, 16)
    assert workload.expected(config, BALLS, last) == workload.cells(config, BALLS)
    assert Job("sample", BALLS, block=last.name) in jobs(config)
