"""What tests ask of the quiz files."""

import yaml
from conftest import ROOT


def items(name: str) -> list[dict]:
    return yaml.safe_load((ROOT / "chapters" / "quizzes" / f"{name}.yml").read_text("utf-8"))["items"]


def objectives_asked(name: str) -> set[str]:
    """Ids of the objectives that the quiz of a chapter asks about."""
    return {objective for item in items(name) for objective in str(item["objective"]).split()}
