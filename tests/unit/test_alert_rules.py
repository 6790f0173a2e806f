"""The alert rules that ship: promtool reads them, and each fires when it should and only then."""

import subprocess
from pathlib import Path

import pytest
import yaml

RULES = Path(__file__).parents[2] / "deploy" / "prometheus"


@pytest.mark.parametrize(
    "words", [("check", "rules", "costlab.rules.yaml"), ("test", "rules", "costlab.rules.test.yaml")]
)
def test_promtool_takes_the_rules_and_what_they_say(prometheus_folder: Path, words: tuple[str, ...]) -> None:
    command = [str(prometheus_folder / "promtool"), *words]
    done = subprocess.run(command, cwd=RULES, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_is_tested_where_it_fires() -> None:
    rules = yaml.safe_load((RULES / "costlab.rules.yaml").read_text())
    tests = yaml.safe_load((RULES / "costlab.rules.test.yaml").read_text())
    alerts = {rule["alert"] for group in rules["groups"] for rule in group["rules"]}
    fired = {
        case["alertname"] for test in tests["tests"] for case in test["alert_rule_test"] if case["exp_alerts"]
    }
    assert fired == alerts
