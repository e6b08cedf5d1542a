rule sensitivity:
    input:
        data=f"{ROOT}/{{dataset}}/data/manifest.json",
        denoiser=f"{ROOT}/{{dataset}}/denoiser/manifest.json",
        classifier=f"{ROOT}/{{dataset}}/classifiers/{{classifier}}/manifest.json",
    output:
        f"{ROOT}/{{dataset}}/sensitivity/{{classifier}}/manifest.json",
    log:
        f"{ROOT}/logs/sensitivity/{{dataset}}.{{classifier}}.log",
    benchmark:
        f"{ROOT}/benchmarks/sensitivity/{{dataset}}.{{classifier}}.tsv"
    threads: THREADS
    resources:
        gpu=GPU,
        mem_mb=doubled(8000),
        runtime=doubled(720),
    params:
        spec=spec("sensitivity"),
        code=code_digest("sensitivity"),
    shell:
        "guidebench sensitivity {CLI} --dataset {wildcards.dataset}"
        " --classifier {wildcards.classifier} 2> {log}"
