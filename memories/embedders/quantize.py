"""Makes the faster form of the bundled model: `python -m memories.embedders.quantize FROM TO`.

The packaged model keeps its weights as int8 but computes in floats. Here they become floats
again, and onnxruntime quantises weights and activations: half the time, half the memory.
Run once, by `minilm`, in a process of its own.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic

from memories.embedders.minilm import MiniLmEmbedder

# Rounding alone leaves a mean cosine of 0.992 to the original; a processor whose integer kernels
# saturate, or a model of another shape, ends far below.
_LEAST_COSINE = 0.985

_SAMPLE = [
    "user: Remind me to water the plants every other day at eight.",
    "assistant: Your dentist appointment is on Tuesday at 3 pm.",
    "Where did I put my keys?",
    "user: My daughter Anna is allergic to peanuts, so no peanut butter please.",
    "What was the name of the restaurant that we liked in Lisbon?",
    "user: I like coffee in the morning and tea at night.",
    "assistant: The lights in the living room are off and the doors are locked.",
    "user: We moved to Hamburg in March, after nine years in a small village near the coast.",
]


def main(original: Path, faster: Path) -> None:
    """Writes `faster` whole or not at all; several processes may do it at once."""
    # A directory beside the target: the rename below is atomic only within one file system.
    with tempfile.TemporaryDirectory(dir=faster.parent, prefix="building-") as directory:
        building = Path(directory) / "model.onnx"
        model = onnx.load(original)
        unpack_weights(model)
        quantize_dynamic(
            model,
            building,
            op_types_to_quantize=["MatMul"],
            weight_type=QuantType.QInt8,
            per_channel=True,
            # Full range: sums can saturate on processors without VNNI, and yet 7 bits lose more
            # (recall 0.48 against 0.50, measured on such a processor).
            reduce_range=False,
        )
        cosine = mean_cosine(original, building)
        if cosine < _LEAST_COSINE:
            sys.exit(f"the quantised model's vectors differ (mean cosine {cosine:.3f})")
        building.replace(faster)


def unpack_weights(model: onnx.ModelProto) -> None:
    """Each int8 weight that the graph casts and scales becomes a float weight; but of a table that
    is looked up, only the rows found are cast and scaled: in whole it would take four times the
    memory, and quantised with one scale for all its rows it costs 2 points of recall."""
    graph = model.graph
    cast: dict[str, str] = {}  # name of the float form: name of the int8 weight
    packed: dict[str, tuple[str, str]] = {}  # name of the scaled form: names of weight and scale
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    kept: list[onnx.NodeProto] = []
    for node in graph.node:
        source = node.input[0] if node.input else ""
        if node.op_type == "Cast" and source in constants and constants[source].dtype == np.int8:
            cast[node.output[0]] = source
        elif node.op_type == "Mul" and source in cast:
            packed[node.output[0]] = (cast[source], node.input[1])
        elif node.op_type == "Gather" and source in packed:
            kept.extend(_look_up_rows(*packed[source], node.input[1], node.output[0]))
        else:
            kept.append(node)
    for name, (weight, scale) in packed.items():
        constants[name] = constants[weight].astype(np.float32) * constants[scale]
    used = {name for node in kept for name in node.input}
    del graph.node[:]
    graph.node.extend(kept)
    del graph.initializer[:]
    graph.initializer.extend(
        numpy_helper.from_array(value, name) for name, value in constants.items() if name in used
    )


def _look_up_rows(weight: str, scale: str, rows: str, output: str) -> list[onnx.NodeProto]:
    """The rows of an int8 table, cast and scaled after they are found."""
    found, floats, scales = f"{output}_rows", f"{output}_floats", f"{output}_scales"
    return [
        helper.make_node("Gather", [weight, rows], [found]),
        helper.make_node("Cast", [found], [floats], to=TensorProto.FLOAT),
        helper.make_node("Gather", [scale, rows], [scales]),
        helper.make_node("Mul", [floats, scales], [output]),
    ]


def mean_cosine(one: Path, other: Path) -> float:
    """How alike the two models' vectors of the sample are; 1 is the same."""
    vectors = [MiniLmEmbedder(path).embed_documents(_SAMPLE) for path in (one, other)]
    return float((vectors[0] * vectors[1]).sum(axis=1).mean())


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
