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


# which scales go on to the later blocks of evaluation seeds
rule finalists:
    input:
        reads("finalists"),
    output:
        f"{ROOT}/{{dataset}}/finalists/manifest.json",
    log:
        f"{ROOT}/logs/finalists/{{dataset}}.log",
    priority: rank("finalists")
    threads: THREADS
    resources:
        mem_mb=doubled(4000),
        runtime=doubled(60),
    params:
        why=why("finalists"),
    shell:
        "guidebench finalists {CLI} --dataset {wildcards.dataset} 2> {log}"
