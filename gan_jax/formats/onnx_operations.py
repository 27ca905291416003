"""The operations of JAX that generators use, as nodes of ONNX.

An operation whose inputs are all known is computed here, by JAX: what remains depends on z and the labels. So spectral
norm, say, leaves one constant kernel.
"""

import functools
import string
from collections.abc import Callable, Sequence
from typing import Any

import ml_dtypes
import numpy as np

from gan_jax.formats.onnx_graph import Graph, Value, is_dynamic

# JAX's operation -> the ONNX operator with the same inputs, elementwise.
_ELEMENTWISE = {
    "abs": "Abs", "add": "Add", "and": "And", "ceil": "Ceil", "cos": "Cos", "div": "Div", "eq": "Equal", "erf": "Erf",
    "exp": "Exp", "floor": "Floor", "ge": "GreaterOrEqual", "gt": "Greater", "le": "LessOrEqual", "log": "Log",
    "logistic": "Sigmoid", "lt": "Less", "max": "Max", "min": "Min", "mul": "Mul", "neg": "Neg", "not": "Not",
    "or": "Or", "pow": "Pow", "sign": "Sign", "sin": "Sin", "sqrt": "Sqrt", "sub": "Sub", "tan": "Tan", "tanh": "Tanh",
}  # fmt: skip
_UNCHANGED = ("copy", "copy_p", "optimization_barrier", "stop_gradient", "sharding_constraint")
_REDUCTIONS = {"reduce_sum": "ReduceSum", "reduce_max": "ReduceMax", "reduce_min": "ReduceMin"}
# An operation that has its own program of operations -> the parameter with the program.
_CALLS = {
    "jit": "jaxpr", "pjit": "jaxpr", "closed_call": "call_jaxpr", "custom_jvp_call": "call_jaxpr",
    "custom_vjp_call": "call_jaxpr", "remat2": "jaxpr", "checkpoint": "jaxpr",
}  # fmt: skip


class NotTranslatable(Exception):
    """An operation that has no translation; the message names it."""


def translate(graph: Graph, program: Any, constants: Sequence[Any], inputs: Sequence[Value]) -> list[Value]:
    """Adds the nodes of a program (a jaxpr) to the graph; returns its outputs."""
    values = dict(zip(program.invars, inputs, strict=True))
    values |= {variable: graph.constant(array) for variable, array in zip(program.constvars, constants, strict=True)}

    def read(variable: Any) -> Value:
        if hasattr(variable, "val"):  # A number in the program.
            return graph.constant(np.asarray(variable.val, variable.aval.dtype))
        return values[variable]

    for equation in program.eqns:
        outputs = _equation(graph, equation, [read(variable) for variable in equation.invars])
        values |= dict(zip(equation.outvars, outputs, strict=True))
    return [read(variable) for variable in program.outvars]


def _equation(graph: Graph, equation: Any, inputs: list[Value]) -> list[Value]:
    name, shapes = equation.primitive.name, [variable.aval.shape for variable in equation.outvars]
    all_shapes = [*shapes, *(variable.aval.shape for variable in equation.invars)]
    is_known = all(value.constant is not None for value in inputs)
    if is_known and not any(is_dynamic(size) for shape in all_shapes for size in shape):
        full = [
            np.broadcast_to(value.constant, variable.aval.shape)
            for value, variable in zip(inputs, equation.invars, strict=True)
        ]
        results = equation.primitive.bind(*full, **equation.params)
        return [graph.constant(array) for array in (results if equation.primitive.multiple_results else [results])]
    if name in _CALLS:
        inner = equation.params[_CALLS[name]]
        program, constants = (inner.jaxpr, inner.consts) if hasattr(inner, "consts") else (inner, ())
        return translate(graph, program, constants, inputs)
    if name in _UNCHANGED:
        return inputs
    if name in _ELEMENTWISE or name in _COMPOSED:
        return [_elementwise(graph, name, inputs, equation.params)]
    if name not in _SHAPED:
        raise NotTranslatable(f"the operation '{name}'")
    full = [
        graph.expand(value, variable.aval.shape) if name != "broadcast_in_dim" else value
        for value, variable in zip(inputs, equation.invars, strict=True)
    ]
    return [_SHAPED[name](graph, full, equation.params, shapes[0])]


def _elementwise(graph: Graph, name: str, inputs: list[Value], params: dict) -> Value:
    """Arrays that are still to be broadcast stay as they are: ONNX's operators broadcast."""
    shape = np.broadcast_shapes(*(value.shape for value in inputs))
    if name in _COMPOSED:
        return _COMPOSED[name](functools.partial(graph.node, shape=shape), graph.constant, inputs, params)
    return graph.node(_ELEMENTWISE[name], inputs, shape)


def _convert(node: Callable, constant: Callable, inputs: list[Value], params: dict) -> Value:
    """bfloat16 arrays are float32 in the graph: a conversion to bfloat16 rounds and converts back."""
    import onnx

    if params["new_dtype"] == ml_dtypes.bfloat16:
        inputs = [node("Cast", inputs, to=onnx.TensorProto.BFLOAT16)]
        return node("Cast", inputs, to=onnx.TensorProto.FLOAT)
    return node("Cast", inputs, to=onnx.helper.np_dtype_to_tensor_dtype(np.dtype(params["new_dtype"])))


def _one(constant: Callable) -> Value:
    return constant(np.float32(1))


# name -> (node of the output's shape, constant, inputs, parameters of the operation) -> output
_COMPOSED = {
    "clamp": lambda node, constant, x, _: node("Min", [node("Max", [x[1], x[0]]), x[2]]),
    "convert_element_type": _convert,
    "expm1": lambda node, constant, x, _: node("Sub", [node("Exp", x), _one(constant)]),
    "integer_pow": lambda node, constant, x, params: node("Pow", [*x, constant(np.float32(params["y"]))]),
    "is_finite": lambda node, constant, x, _: node("Equal", [node("Sub", [x[0], x[0]]), constant(np.float32(0))]),
    "log1p": lambda node, constant, x, _: node("Log", [node("Add", [*x, _one(constant)])]),
    "ne": lambda node, constant, x, _: node("Not", [node("Equal", x)]),
    "rsqrt": lambda node, constant, x, _: node("Reciprocal", [node("Sqrt", x)]),
    "select_n": lambda node, constant, x, _: node("Where", [x[0], x[2], x[1]]),
    "square": lambda node, constant, x, _: node("Mul", [x[0], x[0]]),
}


def _broadcast(graph: Graph, inputs: list[Value], params: dict, shape: tuple[int, ...]) -> Value:
    """Puts the axes into their places; the other axes have one entry until an operation needs all of them."""
    sizes = [1] * len(shape)
    for own, axis in zip(inputs[0].shape, params["broadcast_dimensions"], strict=True):
        sizes[axis] = own
    return graph.reshape(inputs[0], tuple(sizes))


def _slice(graph: Graph, inputs: list[Value], params: dict, shape: tuple[int, ...]) -> Value:
    value, strides = inputs[0], params["strides"] or (1,) * len(shape)
    if any(map(is_dynamic, params["start_indices"])):
        raise NotTranslatable("a slice that starts at an image of the batch")
    limits = zip(params["limit_indices"], value.shape, strict=True)
    ends = [np.iinfo(np.int64).max if limit == size else limit for limit, size in limits]
    if any(is_dynamic(end) for end in ends if end != np.iinfo(np.int64).max):
        raise NotTranslatable("a slice that ends at an image of the batch")
    arrays = [np.array(numbers, np.int64) for numbers in (params["start_indices"], ends, range(len(shape)), strides)]
    return graph.node("Slice", [value, *map(graph.constant, arrays)], shape)


def _pad(graph: Graph, inputs: list[Value], params: dict, shape: tuple[int, ...]) -> Value:
    before, after, between = zip(*params["padding_config"], strict=True)
    if any(map(is_dynamic, (*before, *after))) or min(*before, *after) < 0 or max(between) > 0:
        raise NotTranslatable("padding with negative sizes or between the pixels")
    return graph.node("Pad", [inputs[0], graph.constant(np.array([*before, *after], np.int64)), inputs[1]], shape)


def _dot(graph: Graph, inputs: list[Value], params: dict, shape: tuple[int, ...]) -> Value:
    """A product with any axes, as an Einsum."""
    (contract, batch), (left, right) = params["dimension_numbers"], (len(value.shape) for value in inputs)
    letters = iter(string.ascii_lowercase)
    first = [next(letters) for _ in range(left)]
    second = [next(letters) for _ in range(right)]
    for axis, other in (*zip(*contract, strict=True), *zip(*batch, strict=True)):
        second[other] = first[axis]
    shared = [first[axis] for axis in batch[0]]
    free = [x for axis, x in enumerate(first) if axis not in (*contract[0], *batch[0])]
    free += [x for axis, x in enumerate(second) if axis not in (*contract[1], *batch[1])]
    equation = f"{''.join(first)},{''.join(second)}->{''.join(shared + free)}"
    return graph.node("Einsum", inputs, shape, equation=equation)


def _conv(graph: Graph, inputs: list[Value], params: dict, shape: tuple[int, ...]) -> Value:
    """A convolution, or a transposed one (with distances between the pixels of its input), NHWC."""
    numbers, strides, spread = params["dimension_numbers"], params["window_strides"], params["lhs_dilation"]
    layouts = (numbers.lhs_spec, numbers.rhs_spec, numbers.out_spec)
    channels_last = (0, 3, 1, 2)
    if layouts != (channels_last, (3, 2, 0, 1), channels_last):
        raise NotTranslatable("a convolution that is not NHWC")
    (x, w), padding, dilations = inputs, params["padding"], list(params["rhs_dilation"])
    if w.constant is None or params["batch_group_count"] != 1:
        raise NotTranslatable("a convolution whose kernel depends on the input")
    image = graph.node("Transpose", [x], tuple(x.shape[axis] for axis in channels_last), perm=channels_last)
    output = tuple(shape[axis] for axis in channels_last)
    begins, ends = zip(*padding, strict=True)
    if max(spread) == 1:
        kernel = graph.constant(w.constant.transpose(3, 2, 0, 1))
        settings = {"strides": list(strides), "pads": [*begins, *ends], "dilations": dilations}
        settings["group"] = params["feature_group_count"]
        y = graph.node("Conv", [image, kernel], output, **settings)
    else:
        if max(strides) > 1 or max(dilations) > 1 or params["feature_group_count"] > 1:
            raise NotTranslatable("a transposed convolution with strides or groups")
        # The transpose of a convolution flips its kernel, and its padding is what a full convolution leaves out.
        kernel = graph.constant(w.constant[::-1, ::-1].transpose(2, 3, 0, 1))
        sides = w.constant.shape[:2]
        pads = [side - 1 - pad for pads in (begins, ends) for side, pad in zip(sides, pads, strict=True)]
        extra = [-min(pad, 0) for pad in pads[2:]]
        if min(pads[:2]) < 0:
            raise NotTranslatable("a transposed convolution with more padding than its kernel has")
        settings = {"strides": list(spread), "pads": [max(pad, 0) for pad in pads], "output_padding": extra}
        y = graph.node("ConvTranspose", [image, kernel], output, **settings)
    return graph.node("Transpose", [y], shape, perm=(0, 2, 3, 1))


def _iota(graph: Graph, inputs: list[Value], params: dict, shape: tuple[int, ...]) -> Value:
    """0, 1, ... along an axis of the batch."""
    size = graph.node("Squeeze", [graph.dimension(shape[params["dimension"]])], ())
    bounds = [graph.constant(np.int64(0)), size, graph.constant(np.int64(1))]
    numbers = graph.node("Range", bounds, (shape[params["dimension"]],))
    sizes = [side if axis == params["dimension"] else 1 for axis, side in enumerate(shape)]
    return graph.reshape(graph.node("Cast", [numbers], numbers.shape, to=graph.type(params["dtype"])), tuple(sizes))


def _reduce(graph: Graph, inputs: list[Value], params: dict, shape: tuple[int, ...], *, operator: str) -> Value:
    axes = graph.constant(np.array(params["axes"], np.int64))
    return graph.node(operator, [*inputs, axes], shape, keepdims=0)


# name -> (graph, inputs in their full shapes, parameters, shape of the output) -> output
_SHAPED = {
    "broadcast_in_dim": _broadcast,
    "concatenate": lambda graph, inputs, params, shape: graph.node("Concat", inputs, shape, axis=params["dimension"]),
    "conv_general_dilated": _conv,
    "dot_general": _dot,
    "iota": _iota,
    "pad": _pad,
    "reshape": lambda graph, inputs, params, shape: graph.reshape(inputs[0], shape),
    "slice": _slice,
    "squeeze": lambda graph, inputs, params, shape: graph.reshape(inputs[0], shape),
    "transpose": lambda graph, inputs, params, shape: graph.node(
        "Transpose", inputs, shape, perm=list(params["permutation"])
    ),
    **{name: functools.partial(_reduce, operator=operator) for name, operator in _REDUCTIONS.items()},
}
