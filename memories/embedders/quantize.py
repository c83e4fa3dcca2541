"""Makes the faster form of the bundled model: `python -m memories.embedders.quantize FROM TO`.

The packaged model keeps its weights as int8 but computes in floats. Here the weights become floats
again, and onnxruntime quantises weights and activations: half the time, half the memory.
Run once, by `minilm`, in a process of its own.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic

from memories.embedders.minilm import MiniLmEmbedder

# Rounding alone leaves a mean cosine of 0.991 to the original; a processor whose integer kernels
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
        fold_weights(model)
        quantize_dynamic(
            model,
            building,
            weight_type=QuantType.QInt8,
            per_channel=True,
            reduce_range=True,  # with 8 bits, processors without VNNI saturate
        )
        cosine = mean_cosine(original, building)
        if cosine < _LEAST_COSINE:
            sys.exit(f"the quantised model's vectors differ (mean cosine {cosine:.3f})")
        building.replace(faster)


def fold_weights(model: onnx.ModelProto) -> None:
    """Replaces each int8 weight that is cast and scaled in the graph by the float weight."""
    graph = model.graph
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    folded = set()
    kept = []
    for node in graph.node:
        source, *_ = node.input or [""]
        if node.op_type == "Cast" and source in constants and constants[source].dtype == np.int8:
            constants[node.output[0]] = constants[source].astype(np.float32)
            folded.add(node.output[0])
        elif node.op_type == "Mul" and source in folded:
            constants[node.output[0]] = constants[source] * constants[node.input[1]]
        else:
            kept.append(node)
    used = {name for node in kept for name in node.input}
    del graph.node[:]
    graph.node.extend(kept)
    del graph.initializer[:]
    graph.initializer.extend(
        numpy_helper.from_array(value, name) for name, value in constants.items() if name in used
    )


def mean_cosine(one: Path, other: Path) -> float:
    """How alike the two models' vectors of the sample are; 1 is the same."""
    vectors = [MiniLmEmbedder(path).embed_documents(_SAMPLE) for path in (one, other)]
    return float((vectors[0] * vectors[1]).sum(axis=1).mean())


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
