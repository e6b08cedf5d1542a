# guidebench: from raw data to a report. `make run`, or snakemake with the usual options.
include: "workflow/rules/common.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/sensitivity.smk"
include: "workflow/rules/sample.smk"
include: "workflow/rules/metrics.smk"
include: "workflow/rules/ground_truth.smk"
include: "workflow/rules/report.smk"


rule all:
    default_target: True
    input:
        # every result, not the report alone: none may be missing
        lambda wildcards: manifests(listing.jobs(EXPERIMENT)),


onstart:
    if workflow.local_exec:
        forkserver.start(THREADS)
    if workflow.is_main_process:
        previews.start(LAYOUT, CLI)
