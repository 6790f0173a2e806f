"""What asks for nothing, belongs to nobody or has no price: what it cost, and the remedy."""

from dataclasses import asdict

import pyarrow as pa

from costlab.domain.dates import Dates
from costlab.jobs.asked import Filters
from costlab.render.audit_words import RULES
from costlab.store.warehouse import Warehouse


def audit_table(warehouse: Warehouse, window: Dates, filters: Filters) -> pa.Table:
    """The rows of queries/marts/audit.sql, dearest first, with `finding` and `remedy` in words behind the subject.

    Amounts do not add up: one cost may be the matter of several rules.
    """
    asked = {name: wanted or "" for name, wanted in asdict(filters).items()}
    rows = warehouse.query("audit", start=window.start, until=window.end, **asked)
    told = rows.to_pylist()
    findings = [RULES[row["rule"]].finding(row["resource"]) for row in told]
    remedies = [RULES[row["rule"]].mend(row["resource"]) for row in told]
    named = ("cluster", "rule", "namespace", "subject", "resource")
    return pa.table(
        {name: rows[name] for name in named}
        | {
            "finding": pa.array(findings, pa.string()),
            "days": rows["days"],
            "amount": rows["amount"],
            "remedy": pa.array(remedies, pa.string()),
        }
    )
