"""What it took to write a distilled source, for the student to state: its own FLOPs do not contain the teacher's."""

import json
from pathlib import Path

from calm_train.config import Config
from calm_train.data import Shard
from calm_train.files import replace_file

COSTS = "distillation.json"


def write_costs(shard: Shard, *, teacher_flops: int, writing_flops: int) -> None:
    """Beside the packed text: the teacher's training, and its forward passes over what it wrote."""
    spent = {"text": shard.fingerprint(), "teacher_flops": teacher_flops, "writing_flops": writing_flops}
    replace_file(shard.folder / COSTS, lambda path: path.write_text(json.dumps(spent, indent=2) + "\n"))


def distillations(config: Config) -> dict[str, int]:
    """FLOPs of each written source that went into the model, by the fingerprint of its text: what this run trains on,
    and what the run that it starts from rests on. The same text counts once."""
    data, earlier = config.data, Path(config.calm.start_from) / "checkpoint" / "config.json"
    found: dict[str, int] = {}
    if config.calm.start_from and earlier.exists():
        found |= json.loads(earlier.read_text()).get("distillations", {})
    costs = config.run / "shards" / data.written / COSTS
    if data.written in {*data.mix, *data.final_mix} and costs.exists():
        spent = json.loads(costs.read_text())
        found[spent["text"]] = spent["teacher_flops"] + spent["writing_flops"]
    return found
