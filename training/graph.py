"""An ONNX graph that grows node by node."""

from collections.abc import Mapping, Sequence

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

_OPSET = 17
_IR_VERSION = 9
Shape = Sequence[str | int]


class Graph:
    """Nodes and initialisers, named as they are added."""

    def __init__(self) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._initializers: list[onnx.TensorProto] = []

    def constant(self, name: str, value: NDArray[np.float32] | NDArray[np.int64]) -> str:
        """A tensor that the graph carries; its name in the graph."""
        name = f"{name}_{len(self._initializers)}"
        self._initializers.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def add(self, operator: str, inputs: Sequence[str], *, output: str = "", **attributes: object) -> str:
        """A node with one output; the output's name."""
        output = output or f"{operator.lower()}_{len(self._nodes)}"
        self._nodes.append(helper.make_node(operator, list(inputs), [output], **attributes))
        return output

    def split(self, tensor: str, sizes: Sequence[int], *, axis: int) -> list[str]:
        """A tensor cut along an axis; the names of the parts."""
        outputs = [f"{tensor}_{part}" for part in range(len(sizes))]
        inputs = [tensor, self.constant("sizes", np.array(sizes))]
        self._nodes.append(helper.make_node("Split", inputs, outputs, axis=axis))
        return outputs

    def model(self, name: str, inputs: Mapping[str, tuple[int, Shape]], output: str, shape: Shape) -> onnx.ModelProto:
        """The checked model; `inputs` gives each input's element type and shape, the output is of float32."""
        values = [helper.make_tensor_value_info(one, kind, list(size)) for one, (kind, size) in inputs.items()]
        outputs = [helper.make_tensor_value_info(output, TensorProto.FLOAT, list(shape))]
        graph = helper.make_graph(self._nodes, name, values, outputs, self._initializers)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR_VERSION)
        onnx.checker.check_model(model, full_check=True)
        return model
