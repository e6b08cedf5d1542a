rule collect:
    input:
        metrics=expand(f"{ROOT}/{{dataset}}/metrics/manifest.json", dataset=DATASETS),
        sensitivity=[
            str(LAYOUT.sensitivity(dataset, guide) / "manifest.json")
            for dataset in DATASETS
            for guide in grid.guides(EXPERIMENT, dataset)
        ],
        pictures=[
            f"{ROOT}/{dataset}/samples/manifests/{block.name}.json"
            for dataset in DATASETS
            for block in grid.blocks(EXPERIMENT, dataset)
            if block.split == grid.PICTURES
        ],
        truth=expand(f"{ROOT}/{{world}}/truth/manifest.json", world=WORLDS),
    output:
        f"{ROOT}/tables/manifest.json",
    log:
        f"{ROOT}/logs/collect/all.log",
    benchmark:
        f"{ROOT}/benchmarks/collect/all.tsv"
    threads: THREADS
    resources:
        mem_mb=doubled(4000),
        runtime=doubled(60),
    params:
        spec=spec("collect"),
        code=code_digest("collect"),
    shell:
        "guidebench collect {CLI} 2> {log}"


rule findings:
    input:
        f"{ROOT}/tables/manifest.json",
    output:
        findings=report(
            f"{ROOT}/findings.json",
            caption="../report/findings.rst",
            category="Findings",
        ),
        manifest=f"{ROOT}/findings/manifest.json",
    log:
        f"{ROOT}/logs/findings/all.log",
    benchmark:
        f"{ROOT}/benchmarks/findings/all.tsv"
    threads: THREADS
    resources:
        mem_mb=doubled(2000),
        runtime=doubled(30),
    params:
        code=code_digest("findings"),
    shell:
        "guidebench findings {CLI} 2> {log}"


rule plots:
    input:
        f"{ROOT}/tables/manifest.json",
    output:
        figures=report(
            directory(f"{ROOT}/figures"),
            patterns=["{dataset}/{figure}.svg"],
            caption="../report/figure.rst",
            category="Figures",
            subcategory="{dataset}",
            labels={"figure": "{figure}"},
        ),
        manifest=f"{ROOT}/plots/manifest.json",
    log:
        f"{ROOT}/logs/plots/all.log",
    benchmark:
        f"{ROOT}/benchmarks/plots/all.tsv"
    threads: THREADS
    resources:
        mem_mb=doubled(2000),
        runtime=doubled(60),
    params:
        code=code_digest("plots"),
    shell:
        "guidebench plots {CLI} 2> {log}"


rule report:
    input:
        tables=f"{ROOT}/tables/manifest.json",
        findings=f"{ROOT}/findings/manifest.json",
        plots=f"{ROOT}/plots/manifest.json",
    output:
        report(
            f"{ROOT}/report.html",
            caption="../report/report.rst",
            category="Report",
        ),
    log:
        f"{ROOT}/logs/report/all.log",
    benchmark:
        f"{ROOT}/benchmarks/report/all.tsv"
    threads: THREADS
    resources:
        mem_mb=doubled(2000),
        runtime=doubled(30),
    params:
        code=code_digest("report"),
    shell:
        "guidebench report {CLI} 2> {log}"
