rule collect:
    input:
        reads("collect"),
    output:
        f"{ROOT}/tables/manifest.json",
    log:
        f"{ROOT}/logs/collect/all.log",
    threads: THREADS
    resources:
        mem_mb=doubled(4000),
        runtime=doubled(60),
    params:
        why=why("collect"),
    shell:
        "guidebench collect {CLI} 2> {log}"


# `update`: the old one stays until the new one takes its place
rule findings:
    input:
        reads("findings"),
    output:
        findings=report(
            update(f"{ROOT}/findings.json"),
            caption="../report/findings.rst",
            category="Findings",
        ),
        manifest=f"{ROOT}/findings/manifest.json",
    log:
        f"{ROOT}/logs/findings/all.log",
    threads: THREADS
    resources:
        mem_mb=doubled(2000),
        runtime=doubled(30),
    params:
        why=why("findings"),
    shell:
        "guidebench findings {CLI} 2> {log}"


rule plots:
    input:
        reads("plots"),
    output:
        figures=report(
            directory(f"{ROOT}/figures/{{dataset}}"),
            patterns=["{figure}.svg"],
            caption="../report/figure.rst",
            category="Figures",
            subcategory="{dataset}",
            labels={"figure": "{figure}"},
        ),
        manifest=f"{ROOT}/plots/{{dataset}}/manifest.json",
    log:
        f"{ROOT}/logs/plots/{{dataset}}.log",
    threads: THREADS
    resources:
        mem_mb=doubled(2000),
        runtime=doubled(60),
    params:
        why=why("plots"),
    shell:
        "guidebench plots {CLI} --dataset {wildcards.dataset} 2> {log}"


rule report:
    input:
        reads("report"),
    output:
        page=report(
            update(f"{ROOT}/report.html"),
            caption="../report/report.rst",
            category="Report",
        ),
        manifest=f"{ROOT}/report/manifest.json",
    log:
        f"{ROOT}/logs/report/all.log",
    threads: THREADS
    resources:
        mem_mb=doubled(2000),
        runtime=doubled(30),
    params:
        why=why("report"),
    shell:
        "guidebench report {CLI} 2> {log}"
