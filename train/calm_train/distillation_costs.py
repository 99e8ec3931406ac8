"""What it took to write a distilled source, for the student to state: its own FLOPs do not contain the teacher's."""

import json
from pathlib import Path

from calm_train.config import Config
from calm_train.files import replace_file

COSTS = "distillation.json"


def write_costs(shard: Path, *, teacher_flops: int, writing_flops: int) -> None:
    """Beside the packed text: the teacher's training, and its forward passes over what it wrote."""
    spent = {"teacher_flops": teacher_flops, "writing_flops": writing_flops}
    replace_file(shard / COSTS, lambda path: path.write_text(json.dumps(spent, indent=2) + "\n"))


def distillation_flops(config: Config) -> int:
    """Of the written source, where the run trains on one; 0 otherwise."""
    data = config.data
    path = config.run / "shards" / data.written / COSTS
    if not data.written or data.written not in {*data.mix, *data.final_mix} or not path.exists():
        return 0
    return sum(json.loads(path.read_text()).values())
