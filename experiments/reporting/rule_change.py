"""What the last change of the rules did: every claim with its earlier verdict, its verdict now, and the reason."""

import collections
import pathlib

from experiments.reporting.document import Heading, Paragraph, Table
from experiments.reporting.verdicts import ClaimResult
from gan_jax.system.files import read_table

RECORD = "earlier_verdicts.json"  # in the folder of the results


def section(results: list[ClaimResult], folder: pathlib.Path) -> list:
    """The blocks of the page; none if the folder has no record of earlier verdicts."""
    path = folder / RECORD
    if not path.is_file():
        return []
    record = read_table(path, "delete it")
    verdicts = {(result.claim.id, result.base): result for result in results}
    rows, counts = [], collections.Counter()
    for entry in record["claims"]:
        result = verdicts.get((entry["id"], entry["base"]))
        if result is None:
            continue
        counts[entry["verdict"], result.verdict] += 1
        if result.verdict != entry["verdict"]:
            rows.append((result.claim.sentence, entry["base"], entry["verdict"], result.verdict, entry["why"]))
    unchanged = sum(count for (before, now), count in counts.items() if before == now)
    return [
        Heading(2, f"The change of the rules on {record['changed']}", "rule-change"),
        Paragraph(
            f"Until {record['until']}: {record['rule']} Now: the rule above. No run was trained again. {unchanged} of "
            f"{sum(counts.values())} verdicts are unchanged, {len(rows)} are not:"
        ),
        Table("Changed verdicts", ("claim", "base", "until then", "now", "why"), rows),
    ]
