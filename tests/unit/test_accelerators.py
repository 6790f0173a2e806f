"""Accelerators in the configuration: built-in exporters changed, own ones added, faults at their line."""

from pathlib import Path
from typing import Any

import pytest

from costlab.config.accelerator import ACCELERATOR_SIGNALS, Accelerator, builtin, in_effect
from costlab.config.load import load
from costlab.config.settings import Configuration, Settings
from costlab.config.values import values
from costlab.domain.errors import ConfigError
from costlab.domain.signals import Signal


def written(folder: Path, text: str) -> Path:
    path = folder / "costlab.yaml"
    path.write_text(text)
    return path


def faults(path: Path) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(path, {})
    lines = caught.value.message.replace(str(path.parent) + "/", "").splitlines()
    return [line.strip() for line in lines[1:]] if len(lines) > 1 else lines


def effective(*own: dict[str, Any]) -> dict[str, Accelerator]:
    settings = Settings.model_validate({"accelerators": list(own)})
    return {entry.name: entry for entry in in_effect(settings.accelerators)}


def test_built_in_entries_have_the_form_of_a_users() -> None:
    """As a whole they contradict nobody, and a user may write each of them under another name."""
    assert [entry.name for entry in builtin()] == ["dcgm", "amd", "gaudi", "neuron", "tpu", "plain"]
    assert (
        Settings.model_validate(
            {"accelerators": [entry.model_dump(mode="json") for entry in builtin()]}
        ).accelerators
        == builtin()
    )
    assert {signal for entry in builtin() for signal in entry.metrics} == set(ACCELERATOR_SIGNALS)


def test_an_entry_of_a_built_in_name_changes_what_it_says_and_leaves_the_rest() -> None:
    (plain,) = (entry for entry in builtin() if entry.name == "plain")
    changed = effective(
        {"name": "plain", "metrics": {"gpu_memory_used": {"unit": "bytes"}, "gpu_power": "gpu_watts"},
         "labels": {"node": "host"}, "matchers": {"job": "gpus"}},
    )["plain"]  # fmt: skip
    assert (
        changed.names(Signal.GPU_MEMORY_USED) == plain.names(Signal.GPU_MEMORY_USED) == ("gpu_memory_used",)
    )
    assert changed.metrics[Signal.GPU_MEMORY_USED].unit == "bytes"
    assert changed.metrics[Signal.GPU_UTILIZATION] == plain.metrics[Signal.GPU_UTILIZATION]
    assert changed.names(Signal.GPU_POWER) == ("gpu_watts",)
    assert changed.labels == {**plain.labels, "node": ("host",)}
    assert (changed.fallback, dict(changed.matchers)) == (True, {"job": ("gpus",)})
    assert effective({"name": "plain", "fallback": False})["plain"].fallback is False


def test_own_entries_come_after_the_built_in_ones() -> None:
    entries = effective({"name": "npu", "prefix": "npu_", "metrics": {"gpu_power": ["watts", "power"]}})
    assert list(entries)[-2:] == ["plain", "npu"]
    assert entries["npu"].names(Signal.GPU_POWER) == ("npu_watts", "npu_power")
    assert entries["npu"].names(Signal.GPU_UTILIZATION) == ()


def test_every_fault_is_told_at_its_line_with_what_was_meant(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        """\
accelerators:
  - name: npu
    metrics:
      gpu_utilisation: npu_busy
      gpu_power: {metric: npu_power, unit: miliwatts}
      gpu_memory_free: {metrc: npu_free}
      gpu_memory_used: {metric: npu-used}
    labels:
      uuid: serial
      node: 1x
    matchers: {job: []}
    fallbak: true
  - name: Other
""",
    )
    assert faults(path) == [
        "costlab.yaml:4: accelerators[0].metrics.gpu_utilisation: is no signal of an accelerator; did you mean 'gpu_utilization'?",
        "costlab.yaml:5: accelerators[0].metrics.gpu_power.unit: is no unit; did you mean 'milliwatts'?",
        "costlab.yaml:6: accelerators[0].metrics.gpu_memory_free.metrc: is unknown; did you mean 'metric'?",
        "costlab.yaml:7: accelerators[0].metrics.gpu_memory_used.metric[0]: must look like ^[a-zA-Z_:][a-zA-Z0-9_:]*$",
        "costlab.yaml:9: accelerators[0].labels.uuid: is no label of an accelerator's signals; did you mean 'gpu_uuid'?",
        "costlab.yaml:10: accelerators[0].labels.node[0]: must look like ^[a-zA-Z_][a-zA-Z0-9_]*$",
        "costlab.yaml:11: accelerators[0].matchers.job: must not be empty",
        "costlab.yaml:12: accelerators[0].fallbak: is unknown; did you mean 'fallback'?",
        "costlab.yaml:13: accelerators[1].name: must look like ^[a-z0-9-]{1,63}$",
    ]


def test_a_unit_of_another_quantity_is_refused_with_those_that_fit(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "accelerators:\n  - name: npu\n    metrics:\n      gpu_power: {metric: npu_energy, unit: microjoules}\n"
        "      gpu_utilization: {metric: npu_busy, unit: GiB}\n",
    )
    assert faults(path) == [
        "costlab.yaml:4: accelerators[0].metrics.gpu_power.unit: measures joules, and gpu_power is in watts: watts, kilowatts, milliwatts, microwatts",
        "costlab.yaml:5: accelerators[0].metrics.gpu_utilization.unit: measures bytes, and gpu_utilization is in ratio: ratio, percent",
    ]


def test_entries_that_contradict_each_other_are_refused(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        """\
accelerators:
  - name: dgcm
  - name: npu
    metrics:
      gpu_memory_used: gpu_memory_used
      gpu_power: [watts, watts]
      gpu_utilization: {unit: percent}
  - name: amd
  - name: amd
    prefix: amd_
""",
    )
    assert faults(path) == [
        "costlab.yaml:2: accelerators[0].name: names no built-in exporter, and the entry has no metrics; did you mean 'dcgm'?",
        "costlab.yaml:9: accelerators[3].name: is that of accelerators[2] too",
        "costlab.yaml:5: accelerators[1].metrics.gpu_memory_used: gpu_memory_used is the metric of the exporter plain too, and a series counts once",
        "costlab.yaml:6: accelerators[1].metrics.gpu_power: watts is there twice, and a series counts once",
        "costlab.yaml:7: accelerators[1].metrics.gpu_utilization.metric: is missing",
    ]


def test_entries_are_shown_as_they_were_written_and_take_effect(tmp_path: Path) -> None:
    settings = load(
        written(
            tmp_path,
            "accelerators:\n  - name: npu\n    metrics:\n      gpu_power: npu_power\n"
            "      gpu_utilization: {metric: npu_busy, unit: percent}\n",
        ),
        {},
    )
    told = {value.key: (value.text, value.origin) for value in values(settings)}
    at = f"{tmp_path}/costlab.yaml"
    assert told["accelerators[0].metrics.gpu_power"] == ("npu_power", f"{at}:4")
    assert told["accelerators[0].metrics.gpu_utilization.unit"] == ("percent", f"{at}:5")
    assert told["accelerators[0].fallback"] == ("false", "default")
    assert settings.config_hash != Settings().config_hash


def test_the_schema_for_editors_allows_the_short_form() -> None:
    schema = Configuration.model_json_schema()["$defs"]
    long, short = schema["Carrier"]["anyOf"]
    assert set(long["properties"]) == {"metric", "unit"}
    assert {form["type"] for form in short["anyOf"]} == {"string", "array"}
    assert {form["type"] for form in schema["Accelerator"]["properties"]["labels"]["additionalProperties"]["anyOf"]} == {
        "string", "array",
    }  # fmt: skip
