rule sensitivity:
    input:
        reads("sensitivity"),
    output:
        f"{ROOT}/{{dataset}}/sensitivity/{{classifier}}/manifest.json",
    log:
        f"{ROOT}/logs/sensitivity/{{dataset}}.{{classifier}}.log",
    priority: rank("sensitivity")
    threads: THREADS
    resources:
        gpu=GPU,
        mem_mb=doubled(8000),
        runtime=doubled(720),
    params:
        why=why("sensitivity"),
    shell:
        "guidebench sensitivity {CLI} --dataset {wildcards.dataset}"
        " --classifier {wildcards.classifier} 2> {log}"
