# one process per data set and seed block: it computes the cells that are missing
rule sample:
    input:
        data=f"{ROOT}/{{dataset}}/data/manifest.json",
        denoiser=f"{ROOT}/{{dataset}}/denoiser/manifest.json",
        classifiers=lambda wildcards: classifiers(
            wildcards.dataset, grid.used_guides(EXPERIMENT, wildcards.dataset)
        ),
    output:
        f"{ROOT}/{{dataset}}/samples/manifests/{{block}}.json",
    log:
        f"{ROOT}/logs/sample/{{dataset}}.{{block}}.log",
    benchmark:
        f"{ROOT}/benchmarks/sample/{{dataset}}.{{block}}.tsv"
    priority: 30
    threads: THREADS
    resources:
        gpu=GPU,
        mem_mb=doubled(8000),
        runtime=doubled(720),
    params:
        spec=spec("sample"),
        code=code_digest("sample"),
    shell:
        "guidebench sample {CLI} --dataset {wildcards.dataset} --block {wildcards.block} 2> {log}"
