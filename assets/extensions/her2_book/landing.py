"""What the landing page says of the evidence, computed from the tables."""

import her2
from docutils import nodes
from sphinx.util.docutils import SphinxDirective

COUNTED = {"trials": "trials", "trial_results": "results", "adverse_events": "counts of harm", "agents": "drugs and candidates", "approvals": "approvals", "mechanisms": "mechanisms", "mechanism_evidence": "findings on them", "references": "sources"}


def second_check() -> dict[str, int]:
    """Sums over all tables of what the second readers compared, and how often they disagreed."""
    total = {"figures_compared": 0, "disagreed": 0}
    for name in her2.table_names():
        for key in total:
            total[key] += her2.tables.resource(name).get("second_check", {}).get(key, 0)
    return total


def sentences() -> list[str]:
    """Facts of the evidence, one a sentence."""
    counts = [f"{len(her2.load(name)):,} {label}" for name, label in COUNTED.items()]
    dated = [name for name in her2.table_names() if "checked_on" in her2.load(name)]
    results = her2.load("trial_results")
    again = results["second_checked_on"].notna().mean()
    checked = second_check()
    return [
        f"The tables hold {', '.join(counts[:-1])} and {counts[-1]}.",
        f"They were last checked on {her2.evidence_date(dated)}.",
        f"A second reader, who did not see the first entry, looked {checked['figures_compared']:,} figures up again and found {checked['disagreed']} different; {again:.0%} of the results have been confirmed that way.",
    ]


class EvidenceFacts(SphinxDirective):
    """``{evidence-facts}``: how much evidence there is, how fresh it is, and how it was checked."""

    def run(self):
        self.env.note_dependency(str(her2.tables.package_root() / "datapackage.json"))
        return [nodes.bullet_list("", *(nodes.list_item("", nodes.paragraph("", text)) for text in sentences()))]


def setup(app):
    app.add_directive("evidence-facts", EvidenceFacts)
