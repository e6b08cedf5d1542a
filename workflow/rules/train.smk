# SLURM: one task for each process of a training that is spread over machines; the job starts them
# itself (`mpi`), the executor does not
ON_SEVERAL_NODES = dict(
    mpi=lambda wildcards: "srun" if denoiser(wildcards).nodes > 1 else "",
    tasks=lambda wildcards: (
        denoiser(wildcards).gpus if denoiser(wildcards).nodes > 1 else 1
    ),
    tasks_per_gpu=1,
    slurm_extra=lambda wildcards: (
        f"--gpus-per-node={processes(wildcards)}" if GPU else ""
    ),
)
if all(options.denoiser.nodes == 1 for options in EXPERIMENT.datasets.values()):
    ON_SEVERAL_NODES = {}


def processes(wildcards):
    """Processes of a training on each of its nodes."""
    return denoiser(wildcards).gpus // denoiser(wildcards).nodes


rule train_denoiser:
    input:
        reads("train_denoiser"),
    output:
        f"{ROOT}/{{dataset}}/denoiser/manifest.json",
    log:
        f"{ROOT}/logs/train_denoiser/{{dataset}}.log",
    # SLURM counts them per GPU (below), or per task where several nodes have one for each process
    priority: rank("train_denoiser")
    threads:
        lambda wildcards: (
            THREADS
            if denoiser(wildcards).nodes > 1
            else THREADS * denoiser(wildcards).gpus
        )
    resources:
        **ON_SEVERAL_NODES,
        gpu=lambda wildcards: GPU * denoiser(wildcards).gpus,
        cpus_per_gpu=THREADS,
        nodes=lambda wildcards: denoiser(wildcards).nodes,
        mem_mb=lambda wildcards, attempt: (
            doubled(4000)(wildcards, attempt) * (1 + processes(wildcards))
        ),
        # a training over its limit continues: more time is not needed
        runtime=1440,
    params:
        why=why("train_denoiser"),
    shell:
        "guidebench train_denoiser {CLI} --dataset {wildcards.dataset} 2> {log}"


rule train_classifier:
    input:
        reads("train_classifier"),
    output:
        f"{ROOT}/{{dataset}}/classifiers/{{classifier}}/manifest.json",
    log:
        f"{ROOT}/logs/train_classifier/{{dataset}}.{{classifier}}.log",
    priority: rank("train_classifier")
    threads: THREADS
    resources:
        gpu=GPU,
        mem_mb=doubled(8000),
        runtime=doubled(720),
    params:
        why=why("train_classifier"),
    shell:
        "guidebench train_classifier {CLI} --dataset {wildcards.dataset}"
        " --classifier {wildcards.classifier} 2> {log}"
