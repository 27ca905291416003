"""An ONNX graph that is written node by node, for arrays of which one dimension, the batch, is not known.

The function is traced for a batch of BATCH images, a prime that no other dimension has, and nothing is computed for it.
So a dimension d of a traced shape is q * batch + r with d = q * BATCH + r, and is dynamic if q > 0.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import ml_dtypes
import numpy as np

BATCH = 1_000_003
OPSET = 18
_IR_VERSION = 10  # of the file: what onnxruntime 1.18 reads


class Value(NamedTuple):
    """An array in the graph.

    name: of the array; None for a constant.
    shape: its shape now. A dimension may be 1 where the traced array is broadcast: ONNX broadcasts by itself.
    constant: the array, if it is known.
    """

    name: str | None
    shape: tuple[int, ...]
    constant: np.ndarray | None = None


def is_dynamic(dimension: int) -> bool:
    return dimension > BATCH // 2


def split_dimension(dimension: int) -> tuple[int, int]:
    """(q, r) with dimension = q * BATCH + r."""
    q = round(dimension / BATCH)
    return q, dimension - q * BATCH


class Graph:
    """The nodes, constants and inputs of a model. batch_source: the name of the input whose first axis is the batch."""

    def __init__(self, onnx: Any):
        self._onnx, self._nodes, self._initializers, self._inputs, self._count = onnx, [], {}, [], 0
        self._batch_source = ""

    def input(self, name: str, shape: tuple[int, ...], dtype: Any) -> Value:
        dimensions = ["batch" if is_dynamic(size) else size for size in shape]
        self._inputs.append(self._onnx.helper.make_tensor_value_info(name, self.type(dtype), dimensions))
        self._batch_source = self._batch_source or name
        return Value(name, tuple(shape))

    def type(self, dtype: Any) -> int:
        """ONNX's number of a type. bfloat16 arrays are float32 with rounded values: runtimes lack kernels for it."""
        dtype = np.dtype(np.float32 if dtype == ml_dtypes.bfloat16 else dtype)
        return self._onnx.helper.np_dtype_to_tensor_dtype(dtype)

    def constant(self, array: Any) -> Value:
        array = np.asarray(array)
        return Value(None, array.shape, array)

    def name(self, value: Value) -> str:
        """The name of a value in the graph; a constant is stored when it is first used."""
        if value.name:
            return value.name
        array = np.ascontiguousarray(value.constant)
        if array.dtype == ml_dtypes.bfloat16:
            array = array.astype(np.float32)
        key = (array.dtype.str, array.shape, array.tobytes())
        if key not in self._initializers:
            self._initializers[key] = f"constant_{len(self._initializers)}"
        return self._initializers[key]

    def node(self, operator: str, inputs: Sequence[Value], shape: tuple[int, ...], **attributes: Any) -> Value:
        """Adds a node with one output of this shape."""
        self._count += 1
        output = f"{operator.lower()}_{self._count}"
        names = [self.name(value) for value in inputs]
        self._nodes.append(self._onnx.helper.make_node(operator, names, [output], **attributes))
        return Value(output, tuple(shape))

    def _numbers(self, values: Sequence[int]) -> Value:
        return self.constant(np.array(values, np.int64))

    def dimension(self, size: int) -> Value:
        """int64 [1]: a dimension, computed from the inputs if it is dynamic."""
        if not is_dynamic(size):
            return self._numbers([size])
        q, r = split_dimension(size)
        batch = self.node("Shape", [Value(self._batch_source, ())], (1,), start=0, end=1)
        if q != 1:
            batch = self.node("Mul", [batch, self._numbers([q])], (1,))
        return self.node("Add", [batch, self._numbers([r])], (1,)) if r else batch

    def reshape(self, value: Value, shape: tuple[int, ...]) -> Value:
        """The array in another shape. ValueError if two of its dimensions are dynamic."""
        if value.shape == tuple(shape):
            return value
        if value.constant is not None:
            return self.constant(value.constant.reshape(shape))
        dynamic = [size for size in shape if is_dynamic(size)]
        if len(dynamic) > 1:
            raise ValueError("an array with two axes that depend on the batch")
        sizes = [-1 if is_dynamic(size) else size for size in shape]
        return self.node("Reshape", [value, self._numbers(sizes)], shape)

    def expand(self, value: Value, shape: tuple[int, ...]) -> Value:
        """The array broadcast to a shape of the same rank, or from a single number."""
        if value.shape == tuple(shape):
            return value
        if value.constant is not None and not any(map(is_dynamic, shape)):
            return self.constant(np.broadcast_to(value.constant, shape))
        own = (1,) * (len(shape) - len(value.shape)) + value.shape
        sizes = [self.dimension(1 if old == new else new) for old, new in zip(own, shape, strict=True)]
        target = self.node("Concat", sizes, (len(shape),), axis=0) if len(sizes) > 1 else sizes[0]
        return self.node("Expand", [value, target], shape)

    def model(self, output: Value, name: str, metadata: dict[str, str]) -> Any:
        """The model, whose output `output` is called `name`."""
        helper, numpy_helper = self._onnx.helper, self._onnx.numpy_helper
        self._nodes.append(helper.make_node("Identity", [self.name(output)], [name]))
        dimensions = ["batch" if is_dynamic(size) else size for size in output.shape]
        initializers = [
            numpy_helper.from_array(np.frombuffer(data, dtype).reshape(shape), constant)
            for (dtype, shape, data), constant in self._initializers.items()
        ]
        outputs = [helper.make_tensor_value_info(name, self.type(np.float32), dimensions)]
        graph = helper.make_graph(self._nodes, "generator", self._inputs, outputs, initializers)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=_IR_VERSION)
        helper.set_model_props(model, metadata)
        self._onnx.checker.check_model(model)
        return model
