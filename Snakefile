# The build graph: train -> notebook -> ledger -> book.
#
# `make book` runs it through `python -m nbsrc build`. It also runs by itself, for example on a
# cluster: snakemake --executor slurm --jobs 20 (account and partition belong into a profile).
# Snakemake compares contents, so a touched file alone makes nothing run again.

import sys
from pathlib import Path

from nbsrc.building.book import book_sources
from nbsrc.building.layout import TIERS, Layout
from nbsrc.building.workflow import STAMP

TIER = config.get("tier", "book")
SEED = int(config.get("seed", 0))
if TIER not in TIERS:
    raise WorkflowError(f"tier = {TIER!r}: allowed are {', '.join(TIERS)}")

LAYOUT = Layout(Path(workflow.basedir))
SOURCES = LAYOUT.sources()
# Computed here, not in the rule: Snakemake takes an error inside an input function for "no such
# rule" and then believes that existing outputs are up to date.
FILES = {stem: LAYOUT.relative(LAYOUT.files_of(source, TIER)) for stem, source in SOURCES.items()}
ROWS = {stem: LAYOUT.rows_of(source) for stem, source in SOURCES.items()}
PAPERS = sorted(path.stem for path in (LAYOUT.root / "claims").glob("*.yml"))
NBSRC = f"{sys.executable} -m nbsrc"
MODULES = LAYOUT.relative(sorted((LAYOUT.root / "nbsrc").rglob("*.py")))
BOOK_SOURCES = LAYOUT.relative(book_sources(LAYOUT.root))
OTHER_SEEDS = LAYOUT.relative(sorted((LAYOUT.root / "results").glob("other_seeds.json")))
BUILD_TIMES = LAYOUT.relative(sorted((LAYOUT.root / "results").glob("build_times.json")))
EXPERIMENTS = LAYOUT.relative(sorted((LAYOUT.root / "experiments").glob("*.yml")))
RECORDS = [f"results/{Path(path).stem}.json" for path in EXPERIMENTS
           if (LAYOUT.root / "results" / f"{Path(path).stem}.json").is_file()]
LIVE = sorted({f"build/runs/{TIER}/{run}.json" for source in SOURCES.values()
               for run in source.settings.runs})
LEDGER_PAGES = ["book/ledger.md", *(f"book/ledger_{paper}.md" for paper in PAPERS),
                "book/status.md", "book/_generated/counts.md", "book/_generated/other_seeds.md",
                "book/_generated/training.md"]


wildcard_constraints:
    notebook="|".join(SOURCES) or "none",
    experiment=r"[^/]+",
    tier="|".join(TIERS),
    further=r"[a-z_0-9]+",  # the tiers that a file adds, too
    run=r"[a-z0-9.-]+",


rule all:
    input:
        STAMP,


rule train:
    input:
        "experiments/{experiment}.yml",
        LAYOUT.relative(LAYOUT.scan.of_modules(["nbsrc.experiments"])),
        "constraints.txt",
    output:
        "build/runs/{tier}/{experiment}.json",
    params:
        seed=SEED,
    threads: 1
    priority: 1  # the longest jobs first: none should be left alone on one core at the end
    shell:
        "mkdir -p build/logs; log=build/logs/train_{wildcards.experiment}.log; "
        "OMP_NUM_THREADS={threads} MKL_NUM_THREADS={threads} PYTHONHASHSEED=0 "
        "{NBSRC} train {input[0]} --tier {wildcards.tier} --first-seed {params.seed} "
        "--output {output} > $log 2>&1 "
        "|| {{ echo 'train {wildcards.experiment} failed, the end of' $log: >&2; "
        "tail -n 30 $log >&2; exit 1; }}"


# The same runs one by one, for a cluster and for tiers that take hours:
#     snakemake --executor slurm --jobs 20 build/recorded/paper/A_table2.json
# A run that is finished is kept, whatever changes around it (see `python -m nbsrc train --help`).


def start_of(wildcards):
    """The record of the run that a run starts from."""
    return runs_of(wildcards)[wildcards.run]


def records_of(wildcards):
    """The records of all runs of an experiment at a tier."""
    folder = f"build/runs/{wildcards.further}/{wildcards.experiment}"
    return [f"{folder}/{name}.json" for name in runs_of(wildcards)]


def runs_of(wildcards):
    """The runs of an experiment with what each starts from; torch is imported only for this."""
    from nbsrc.experiments.campaign import record_graph

    path = LAYOUT.root / "experiments" / f"{wildcards.experiment}.yml"
    folder = f"build/runs/{wildcards.further}/{wildcards.experiment}"
    graph = record_graph(path, wildcards.further)
    return {name: [f"{folder}/{start}.json"] if start else [] for name, start in graph.items()}


rule train_run:
    input:
        start_of,
    output:
        update("build/runs/{further}/{experiment}/{run}.json"),
    threads: 1
    resources:
        gpu=int(config.get("gpu", 0)),
    params:
        device="cuda" if int(config.get("gpu", 0)) else "cpu",
    shell:
        "{NBSRC} train experiments/{wildcards.experiment}.yml --tier {wildcards.further} "
        "--only {wildcards.run:q} --device {params.device} --threads {threads}"


rule recorded:
    input:
        records_of,
    output:
        "build/recorded/{further}/{experiment}.json",
    shell:
        "{NBSRC} train experiments/{wildcards.experiment}.yml --tier {wildcards.further} "
        "--output {output}"


rule notebook:
    input:
        lambda wildcards: FILES[wildcards.notebook],
    output:
        notebook="book/notebooks/{notebook}.ipynb",
        figures=directory("book/notebooks/figure_data/{notebook}"),
        evidence="build/evidence/{notebook}.json",
        status="build/status/{notebook}.json",
    params:
        tier=TIER,
        seed=SEED,
        rows=lambda wildcards: ROWS[wildcards.notebook],
    threads: lambda wildcards: SOURCES[wildcards.notebook].settings.threads
    shell:
        "{NBSRC} run notebooks/{wildcards.notebook}.ipynb --tier {params.tier} "
        "--seed {params.seed} --threads {threads}"


# All checks and no book: with another seed, for `python -m nbsrc seeds`.
rule evidence:
    input:
        expand("build/evidence/{notebook}.json", notebook=SOURCES),


rule ledger:
    input:
        expand("build/evidence/{notebook}.json", notebook=SOURCES),
        expand("build/status/{notebook}.json", notebook=SOURCES),
        expand("claims/{paper}.yml", paper=PAPERS),
        BUILD_TIMES, OTHER_SEEDS, EXPERIMENTS, RECORDS, LIVE,
        LAYOUT.relative(LAYOUT.scan.of_modules(["nbsrc.claims.command"])),
    output:
        "build/ledger.json",
        LEDGER_PAGES,
    shell:
        "{NBSRC} ledger"


rule book:
    input:
        expand("book/notebooks/{notebook}.ipynb", notebook=SOURCES),
        expand("book/notebooks/figure_data/{notebook}", notebook=SOURCES),
        LEDGER_PAGES,
        BOOK_SOURCES,
        MODULES,
        "constraints.txt",
    output:
        STAMP,
    shell:
        "{NBSRC} book --stamp {output}"
