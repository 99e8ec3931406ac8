"""What the type of the KV cache costs one step of attention on the CPU: float32, float16 and int8 with one scale.

  pip install onnx onnxruntime==1.30.0 && python scripts/measure-cache-types.py --threads 2

One GroupQueryAttention with its cache in place, at the shapes of Transformer-S and CALM-M with 512 tokens of context.
The types take turns; each figure is the least of six. Errors are against float32, for keys and values of unit variance.
"""

import argparse
import time
from dataclasses import dataclass

import numpy as np
import onnxruntime
from onnx import TensorProto, helper

ROUNDS = 6
INT8_SCALE = 0.03


@dataclass(frozen=True)
class Shape:
    name: str
    heads: int
    head_size: int
    positions: int


@dataclass(frozen=True)
class CacheType:
    name: str
    activation: int
    cache: int
    stored: str


SHAPES = (Shape("transformer-s", 16, 48, 512), Shape("calm-m", 16, 64, 128))
TYPES = (
    CacheType("float32", TensorProto.FLOAT, TensorProto.FLOAT, "f4"),
    CacheType("float16", TensorProto.FLOAT16, TensorProto.FLOAT16, "f2"),
    CacheType("int8", TensorProto.FLOAT, TensorProto.INT8, "i1"),
)


def attention_model(shape: Shape, kind: CacheType, batch: int) -> bytes:
    """x [B, 1, 3 heads * size] in float32 -> y [B, 1, heads * size] in float32."""
    width, positions = shape.heads * shape.head_size, shape.positions
    angles = np.arange(positions)[:, None] * 10000.0 ** -(np.arange(shape.head_size // 2) / (shape.head_size // 2))
    stored = "f2" if kind.activation == TensorProto.FLOAT16 else "f4"
    constants = [
        helper.make_tensor(name, kind.activation, angles.shape, table.astype(stored).tobytes(), raw=True)
        for name, table in (("cos", np.cos(angles)), ("sin", np.sin(angles)))
    ]
    inputs = ["narrow", "", "", "past_key", "past_value", "seqlens_k", "total", "cos", "sin"]
    attributes = {"num_heads": shape.heads, "kv_num_heads": shape.heads, "do_rotary": 1}
    if kind.cache == TensorProto.INT8:
        constants += [helper.make_tensor(name, TensorProto.FLOAT, [1], [INT8_SCALE]) for name in ("k_scale", "v_scale")]
        inputs += ["", "", "", "k_scale", "v_scale"]
        attributes |= {"k_quant_type": "PER_TENSOR", "v_quant_type": "PER_TENSOR", "kv_cache_bit_width": 8}
    nodes = [
        helper.make_node("Cast", ["x"], ["narrow"], to=kind.activation),
        helper.make_node(
            "GroupQueryAttention", inputs, ["attended", "key", "value"], domain="com.microsoft", **attributes
        ),
        helper.make_node("Cast", ["attended"], ["y"], to=TensorProto.FLOAT),
    ]
    cache = [batch, shape.heads, positions, shape.head_size]
    graph_inputs = [
        helper.make_tensor_value_info("x", TensorProto.FLOAT, [batch, 1, 3 * width]),
        helper.make_tensor_value_info("past_key", kind.cache, cache),
        helper.make_tensor_value_info("past_value", kind.cache, cache),
        helper.make_tensor_value_info("seqlens_k", TensorProto.INT32, [batch]),
        helper.make_tensor_value_info("total", TensorProto.INT32, []),
    ]
    graph_outputs = [
        helper.make_tensor_value_info("y", TensorProto.FLOAT, [batch, 1, width]),
        helper.make_tensor_value_info("key", kind.cache, cache),
        helper.make_tensor_value_info("value", kind.cache, cache),
    ]
    graph = helper.make_graph(nodes, "attention", graph_inputs, graph_outputs, constants)
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=10).SerializeToString()


class Step:
    """One step of `batch` rows whose cache is full but for this step's position."""

    def __init__(self, shape: Shape, kind: CacheType, batch: int, threads: int):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self.session = onnxruntime.InferenceSession(
            attention_model(shape, kind, batch), options, providers=["CPUExecutionProvider"]
        )
        self.binding = self.session.io_binding()
        random = np.random.default_rng(0)
        # An OrtValue of the CPU points at the array's memory, so the arrays must live as long.
        self.arrays = [random.standard_normal((batch, shape.heads, shape.positions, shape.head_size)) for _ in range(2)]
        self.arrays = [narrowed(array, kind) for array in self.arrays]
        self.input = random.standard_normal((batch, 1, 3 * shape.heads * shape.head_size)).astype("f4")
        self.binding.bind_cpu_input("x", self.input)
        # First, so that it is the first of the outputs.
        self.binding.bind_output("y", "cpu")
        for name, array in zip(("key", "value"), self.arrays, strict=True):
            value = onnxruntime.OrtValue.ortvalue_from_numpy(array)
            self.binding.bind_ortvalue_input(f"past_{name}", value)
            self.binding.bind_ortvalue_output(name, value)
        self.binding.bind_cpu_input("seqlens_k", np.full(batch, shape.positions - 1, "i4"))
        self.binding.bind_cpu_input("total", np.array(shape.positions, "i4"))

    def milliseconds(self, repeats: int) -> float:
        begin = time.perf_counter()
        for _ in range(repeats):
            self.session.run_with_iobinding(self.binding)
        return 1000 * (time.perf_counter() - begin) / repeats

    def output(self) -> np.ndarray:
        return self.binding.copy_outputs_to_cpu()[0]


def narrowed(array: np.ndarray, kind: CacheType) -> np.ndarray:
    if kind.stored == "i1":
        array = np.clip(np.round(array / INT8_SCALE), -127, 127)
    return np.ascontiguousarray(array.astype(kind.stored))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batch", default="1,8,32")
    options = parser.parse_args()
    print("| shape | batch | " + " | ".join(f"{kind.name}, ms a layer (error)" for kind in TYPES) + " |")
    print("|---|---|" + "---|" * len(TYPES))
    for shape in SHAPES:
        for batch in map(int, options.batch.split(",")):
            steps = [Step(shape, kind, batch, options.threads) for kind in TYPES]
            repeats = max(4, 200 // batch)
            rounds = [[step.milliseconds(repeats) for step in steps] for _ in range(ROUNDS)]
            least = [min(times) for times in zip(*rounds, strict=True)]
            errors = [float(np.abs(step.output() - steps[0].output()).max()) for step in steps]
            cells = [f"{ms:.3f} ({error:.4f})" for ms, error in zip(least, errors, strict=True)]
            print(f"| {shape.name} | {batch} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
