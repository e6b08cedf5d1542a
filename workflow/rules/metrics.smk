rule features:
    input:
        reads("features"),
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
        why=why("features"),
    shell:
        "guidebench features {CLI} --dataset {wildcards.dataset} --block {wildcards.block} 2> {log}"


rule metrics:
    input:
        reads("metrics"),
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
        why=why("metrics"),
    shell:
        "guidebench metrics {CLI} --dataset {wildcards.dataset} 2> {log}"
