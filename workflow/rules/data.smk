rule prepare:
    input:
        reads("prepare"),
    output:
        f"{ROOT}/{{dataset}}/data/manifest.json",
    log:
        f"{ROOT}/logs/prepare/{{dataset}}.log",
    priority: rank("prepare")
    threads: THREADS
    resources:
        mem_mb=lambda wildcards, attempt: doubled(
            cost_model.prepare_mb(EXPERIMENT.datasets[wildcards.dataset])
        )(wildcards, attempt),
        runtime=doubled(60),
    params:
        why=why("prepare"),
    shell:
        "guidebench prepare {CLI} --dataset {wildcards.dataset} 2> {log}"
