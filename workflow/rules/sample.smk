# one process per data set and seed block: it computes the cells that are missing
rule sample:
    input:
        reads("sample"),
    output:
        f"{ROOT}/{{dataset}}/samples/manifests/{{block}}.json",
    log:
        f"{ROOT}/logs/sample/{{dataset}}.{{block}}.log",
    priority: rank("sample")
    threads: THREADS
    resources:
        gpu=GPU,
        mem_mb=doubled(8000),
        runtime=doubled(720),
    params:
        why=why("sample"),
    shell:
        "guidebench sample {CLI} --dataset {wildcards.dataset} --block {wildcards.block} 2> {log}"
