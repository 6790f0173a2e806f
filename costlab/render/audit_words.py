"""What an audit's rules find, and the remedy for each, in words."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rule:
    """What is the matter, and what puts it right; `{resource}` stands for the row's."""

    what: str
    remedy: str


RULES = {
    "request_missing": Rule(
        "no {resource} request",
        "set resources.requests.{resource} in its containers: costlab recommend says how much",
    ),
    "limit_missing": Rule(
        "no {resource} limit",
        "set resources.limits.{resource}: without one it may take all of its node's",
    ),
    "owner_missing": Rule(
        "belongs to no team", "label its pods or the namespace with a team, or name one in owner.namespaces"
    ),
    "quota_missing": Rule("no ResourceQuota", "give the namespace a ResourceQuota"),
    "claim_unmounted": Rule("mounted by no pod", "delete the claim once nobody needs its data"),
    "gpu_unobserved": Rule(
        "GPUs held, their use not seen", "run a GPU exporter there that names pods: costlab doctor, docs/exporters.md"
    ),
    "price_unknown": Rule(
        "no price for its {resource}", "give it a rate in prices, or the node a rule in the price book"
    ),
    "price_zero": Rule(
        "a price of 0 for its {resource}", "set its rate in prices or in the price book, unless it is free"
    ),
}  # fmt: skip
