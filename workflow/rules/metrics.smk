rule features:
    input:
        reads("features"),
    output:
        f"{ROOT}/{{dataset}}/features/manifests/{{block}}.json",
    log:
        f"{ROOT}/logs/features/{{dataset}}.{{block}}.log",
    priority: rank("features")
    threads: THREADS
    resources:
        gpu=GPU,
        mem_mb=doubled(8000),
        runtime=doubled(240),
    params:
        why=why("features"),
    shell:
        "guidebench features {CLI} --dataset {wildcards.dataset} --block {wildcards.block} 2> {log}"


rule attributes:
    input:
        reads("attributes"),
    output:
        f"{ROOT}/{{dataset}}/attributes/manifest.json",
    log:
        f"{ROOT}/logs/attributes/{{dataset}}.log",
    priority: rank("attributes")
    threads: THREADS
    resources:
        gpu=GPU,
        mem_mb=doubled(8000),
        runtime=doubled(240),
    params:
        why=why("attributes"),
    shell:
        "guidebench attributes {CLI} --dataset {wildcards.dataset} 2> {log}"


# A scatter matrix of Inception's 2048 features is 34 MB. Of K jackknife blocks each of the two
# references (all classes, the target's) keeps K + 2, and a cell's are 2 K + 4 while they are fitted:
# with K = 16 that is 72, or 2.4 GB (measured: 2.4). The features of CelebA's 162,770 training images
# are 1.3 GB, those of the half that is the judge's reference 0.7, and where the first are projected,
# as float64, 2.7 more, beside K + 1 matrices (0.6): 5.3 GB, and 0.4 for Python.
SCATTERS = 34 * (4 * EXPERIMENT.metrics.jackknife_blocks + 8)
WITH_INCEPTION = slices.inception(EXPERIMENT)["used"]


rule metrics:
    input:
        reads("metrics"),
    output:
        f"{ROOT}/{{dataset}}/metrics/manifest.json",
    log:
        f"{ROOT}/logs/metrics/{{dataset}}.log",
    priority: rank("metrics")
    threads: THREADS
    resources:
        mem_mb=doubled(4000 + SCATTERS * WITH_INCEPTION),
        runtime=doubled(240),
    params:
        why=why("metrics"),
    shell:
        "guidebench metrics {CLI} --dataset {wildcards.dataset} 2> {log}"
