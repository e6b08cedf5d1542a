rule prepare:
    output:
        f"{ROOT}/{{dataset}}/data/manifest.json",
    params:
        spec=spec("prepare"),
        code=code_digest("prepare"),
    threads: THREADS
    resources:
        mem_mb=4000,
        runtime=60,
    priority: 100
    log:
        f"{ROOT}/logs/prepare/{{dataset}}.log",
    benchmark:
        f"{ROOT}/benchmarks/prepare/{{dataset}}.tsv"
    shell:
        "guidebench prepare {CLI} --dataset {wildcards.dataset} 2> {log}"
