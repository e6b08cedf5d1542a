rule features:
    input:
        images=lambda wildcards: (
            f"{ROOT}/{wildcards.dataset}/data/manifest.json"
            if wildcards.block == REAL
            else f"{ROOT}/{wildcards.dataset}/samples/manifests/{wildcards.block}.json"
        ),
        classifiers=lambda wildcards: classifiers(
            wildcards.dataset, EXPERIMENT.datasets[wildcards.dataset].classifiers
        ),
    output:
        f"{ROOT}/{{dataset}}/features/manifests/{{block}}.json",
    log:
        f"{ROOT}/logs/features/{{dataset}}.{{block}}.log",
    benchmark:
        f"{ROOT}/benchmarks/features/{{dataset}}.{{block}}.tsv"
    threads: THREADS
    resources:
        gpu=GPU,
        mem_mb=doubled(8000),
        runtime=doubled(240),
    params:
        spec=spec("features"),
        code=code_digest("features"),
    shell:
        "guidebench features {CLI} --dataset {wildcards.dataset} --block {wildcards.block} 2> {log}"


rule metrics:
    input:
        real=f"{ROOT}/{{dataset}}/features/manifests/{REAL}.json",
        blocks=blocks("features"),
    output:
        f"{ROOT}/{{dataset}}/metrics/manifest.json",
    log:
        f"{ROOT}/logs/metrics/{{dataset}}.log",
    benchmark:
        f"{ROOT}/benchmarks/metrics/{{dataset}}.tsv"
    threads: THREADS
    resources:
        mem_mb=doubled(4000),
        runtime=doubled(240),
    params:
        spec=spec("metrics"),
        code=code_digest("metrics"),
    shell:
        "guidebench metrics {CLI} --dataset {wildcards.dataset} 2> {log}"
