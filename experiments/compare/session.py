"""One comparison from its first run to its page."""

from experiments.compare import page
from experiments.compare.rounds import Rounds
from experiments.compare.sequential import UNDECIDED, ArmLook, Rule

BUDGET_SPENT = "undecided: budget spent. The same command with a larger --budget or --max_seeds continues"


def decide(rounds: Rounds) -> bool:
    """Trains and looks until all arms are decided or the budget is spent. Whether all are decided.

    The page is written after every look.
    """
    workdir, prior = rounds.workdir, rounds.prior
    workdir.start(prior.describe())
    runs = {arm.name: workdir.runs / arm.hash / "seed-0" for arm in workdir.arms}

    def comparison(looks: list[dict[str, ArmLook]]) -> page.Comparison:
        return page.Comparison(workdir.rule, prior, workdir.arms, looks, workdir.study(), runs, workdir.path)

    def after_look(looks: list[dict[str, ArmLook]]) -> None:
        show(workdir.rule, looks)
        page.write(comparison(looks))

    looks = rounds.run(after_look)
    if not looks:
        return False
    report(comparison(looks))
    return all(look.verdict != UNDECIDED for look in looks[-1].values())


def show(rule: Rule, looks: list[dict[str, ArmLook]]) -> None:
    """Prints the verdicts as a table."""
    table = page.verdict_table(rule, looks)
    rows = [[cell if isinstance(cell, str) else cell.text for cell in row] for row in [table.head, *table.rows]]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    print(f"look {len(looks)}")
    for row in rows:
        print("  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip(), flush=True)


def report(comparison: page.Comparison) -> None:
    """Writes the page and prints its sentences."""
    written = page.write(comparison)
    for name, look in comparison.looks[-1].items():
        print(page.sentence(name, look, comparison.rule))
    print(f"page {written} (open it in a browser), data {written.with_name('compare.json')}")
