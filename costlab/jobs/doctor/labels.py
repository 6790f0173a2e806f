"""What the labels tell: whose pods they are, which are told of twice, and which GPUs have a price."""

import re
from collections.abc import Iterator, Mapping

from costlab.config.book import plain_label, plain_model
from costlab.domain.signals import SIGNALS, Exporter, Signal
from costlab.jobs.doctor.check import Check
from costlab.jobs.doctor.inquiry import Inquiry
from costlab.jobs.doctor.server import Carried
from costlab.jobs.sharing import PRODUCT
from costlab.render import figures
from costlab.sources.prometheus.selector import Matcher, Operator

_POD = ("namespace", "pod", "uid")
_TARGET = frozenset({"instance", "job", "endpoint", "service", "container"})  # of kube-state-metrics itself
_REPLICA = re.compile("replica", re.IGNORECASE)


def owners(inquiry: Inquiry) -> Check:
    """Whether pods show the labels that name their team."""
    labels = inquiry.settings.owner.labels
    pods = inquiry.narrowed(inquiry.catalogue.metrics(Signal.POD_LABELS)[0])
    counts = {
        label: inquiry.count(pods.narrowed(Matcher(f"label_{plain_label(label)}", Operator.NOT_EQUAL, "")))
        for label in labels
    }
    if any(counts.values()) or not labels:
        return inquiry.fine(
            "owners",
            ", ".join(f"{figures.counted(count, 'pod')} with {label}" for label, count in counts.items()),
        )
    text = f"no pod shows a label {' or '.join(labels)}: teams come from namespaces alone"
    return inquiry.odd("owners", text, f"--metric-labels-allowlist=pods=[{','.join(labels)}]")


def duplicates(inquiry: Inquiry) -> Iterator[Check]:
    """Whether pods are told of more than once, and by what the tellers differ."""
    known = set(inquiry.cluster.prometheus.replica_labels)
    for label in sorted(inquiry.product.external_labels):
        if _REPLICA.search(label) and label not in known:
            text = f"{label} is an external label that looks like a replica's"
            yield inquiry.odd("replicas", text, f"add {label} to prometheus.replica_labels")
    doubled = f"count by ({', '.join(_POD)}) ({inquiry.pods}) > 1"
    twice = inquiry.count(doubled)
    if not twice:
        yield inquiry.fine("duplicates", "every pod is told of once")
        return
    differing = _differing(inquiry, doubled)
    unknown = sorted(differing.keys() - known)
    if differing and not unknown:
        text = f"{figures.counted(twice, 'pod is', 'pods are')} told of by replicas, told apart by {', '.join(sorted(differing))}"
        yield inquiry.fine("duplicates", text)
        return
    text = f"{figures.counted(twice, 'pod is', 'pods are')} told of more than once; each still counts once"
    yield inquiry.odd("duplicates", *_advice(text, unknown, differing))


def gpu_prices(inquiry: Inquiry, carried: Mapping[Signal, Carried]) -> Iterator[Check]:
    """Whether every model of GPU that is there has a price."""
    models = _models(inquiry, carried)
    if not models:
        return
    book, default = inquiry.settings.book, inquiry.settings.prices.gpu_hour
    priced = {plain_model(model) for model in book.gpu_models}
    without = ", ".join(model for model in models if plain_model(model) not in priced)
    if not without:
        yield inquiry.fine("GPU prices", f"each of {len(models)} models has its own: {', '.join(models)}")
    elif default is None:
        text = f"no price for {without}, unless a node's rule has one"
        yield inquiry.odd("GPU prices", text, "add gpu_models to the price book, or set prices.gpu_hour")
    elif priced and not book.nodes:
        text = f"not in the price book, at prices.gpu_hour={default:g} instead: {without}"
        yield inquiry.odd("GPU prices", text, "add them to gpu_models, as they are written here")
    else:
        yield inquiry.fine("GPU prices", f"by a node's rule, else at prices.gpu_hour={default:g}: {without}")


def _differing(inquiry: Inquiry, doubled: str) -> dict[str, list[str]]:
    """By label, its values over the series of one pod that is told of most often; without those that agree."""
    example = inquiry.vector(f"topk(1, {doubled})")
    if not example:
        return {}
    pod = (Matcher(label, Operator.EQUAL, example[0][0].get(label, "")) for label in _POD)
    tellers = [labels for labels, _ in inquiry.vector(inquiry.pods.narrowed(*pod))]
    names = {name for labels in tellers for name in labels}
    values = {name: sorted({labels.get(name, "") for labels in tellers}) for name in names}
    return {name: found for name, found in values.items() if len(found) > 1}


def _advice(text: str, unknown: list[str], differing: Mapping[str, list[str]]) -> tuple[str, str]:
    """What the labels that differ say about why, and the mend."""
    told = f"{text}: they differ in {', '.join(unknown)}" if unknown else text
    replicas = [label for label in unknown if _REPLICA.search(label)]
    if replicas or (len(unknown) == 1 and unknown[0] not in _TARGET):
        label = (replicas or unknown)[0]
        return told, f"if {label} names replicas of one Prometheus, add it to prometheus.replica_labels"
    if unknown and _TARGET.issuperset(unknown):
        label = next((name for name in ("job", "instance") if name in unknown), unknown[0])
        choice = f"{label}: {differing[label][0]}"
        return told, f"scrape kube-state-metrics once, or choose: prometheus.matchers: {{{choice}}}"
    return told, "set prometheus.replica_labels or matchers, if it is not on purpose"


def _models(inquiry: Inquiry, carried: Mapping[Signal, Carried]) -> list[str]:
    """The models of GPUs, as devices and nodes name them; both spellings of one are one."""
    found: dict[str, str] = {}
    for signal, one in carried.items():
        if SIGNALS[signal].exporter is Exporter.GPU:
            for label in one.metric.sources("gpu_model"):
                for model in inquiry.counts_by(label, inquiry.narrowed(one.metric)):
                    found.setdefault(plain_model(model), model)
            break  # each of a device's signals names the same model
    if Signal.NODE_LABELS in carried:
        for model in inquiry.counts_by(
            PRODUCT, inquiry.narrowed(inquiry.catalogue.metrics(Signal.NODE_LABELS)[0])
        ):
            found.setdefault(plain_model(model), model)
    return sorted(found.values())
