"""What an audit's rules find, and the remedy for each, in words."""

from dataclasses import dataclass

from costlab.render.names import resource_name


@dataclass(frozen=True, slots=True)
class Rule:
    """What is the matter, and what puts it right; `{resource}` is the row's as manifests write it, `{name}` as sentences do."""

    what: str
    remedy: str

    def finding(self, resource: str | None) -> str:
        """What is the matter with this resource."""
        return self._of(self.what, resource)

    def mend(self, resource: str | None) -> str:
        """What puts it right."""
        return self._of(self.remedy, resource)

    @staticmethod
    def _of(text: str, resource: str | None) -> str:
        return text.format(resource=resource, name=resource_name(resource or ""))


RULES = {
    "request_missing": Rule(
        "no {name} request",
        "set resources.requests.{resource} in its containers: costlab recommend says how much",
    ),
    "limit_missing": Rule(
        "no {name} limit",
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
        "no price for its {name}", "give it a rate in prices, or the node a rule in the price book"
    ),
    "price_zero": Rule(
        "a price of 0 for its {name}", "set its rate in prices or in the price book, unless it is free"
    ),
}  # fmt: skip
