# everything is known of a world: no data, no training
rule ground_truth:
    input:
        reads("ground_truth"),
    output:
        f"{ROOT}/{{dataset}}/truth/manifest.json",
    log:
        f"{ROOT}/logs/ground_truth/{{dataset}}.log",
    priority: rank("ground_truth")
    threads: THREADS
    resources:
        mem_mb=doubled(4000),
        runtime=doubled(120),
    params:
        why=why("ground_truth"),
    shell:
        "guidebench ground_truth {CLI} --dataset {wildcards.dataset} 2> {log}"
