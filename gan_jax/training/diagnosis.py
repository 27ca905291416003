"""Finds the operation that makes the first non-finite number, by running a function operation by operation."""

import dataclasses
import itertools
import pathlib
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from gan_jax.training.calls import Call

_PACKAGE = pathlib.Path(__file__).parents[1]
# Primitive -> the name of its parameter with the inner jaxpr, for primitives that only call this jaxpr.
_CALLS = {
    "jit": "jaxpr",
    "pjit": "jaxpr",
    "closed_call": "call_jaxpr",
    "checkpoint": "jaxpr",
    "custom_jvp_call": "call_jaxpr",
    "custom_vjp_call": "call_jaxpr",
}


@dataclasses.dataclass(frozen=True)
class _Value:
    """A tensor, whether it is finite, and the operation that computed it (None for an argument of the function)."""

    array: Any
    finite: bool
    made_by: "_Operation | None" = None


@dataclasses.dataclass(frozen=True)
class _Operation:
    """An operation that has run.

    number: position in the order in which operations ran.
    name: name of the primitive.
    scope: names of the modules around it.
    source_line: file:line in this package; "" if unknown.
    """

    number: int
    name: str
    scope: str
    source_line: str
    inputs: Sequence[_Value]


def _is_finite(array: Any) -> bool:
    # NumPy: JAX would compile this for every shape that a program has.
    return not jnp.issubdtype(array.dtype, jnp.floating) or bool(np.isfinite(np.asarray(array)).all())


def _source_line(equation) -> str:
    """file:line of the innermost stack frame in this package; "" if there is none."""
    traceback = equation.source_info.traceback
    for frame in traceback.frames if traceback else ():
        path = pathlib.Path(frame.file_name)
        if _PACKAGE in path.parents:
            return f"{path.relative_to(_PACKAGE.parent)}:{frame.line_num}"
    return ""


class _Run:
    """Runs a jaxpr equation by equation, and records the operation behind every value."""

    def __init__(self):
        self._numbers = itertools.count()

    def program(self, closed: Any, inputs: Sequence[_Value], scope: str = "") -> list[_Value]:
        """The outputs of a jaxpr; `closed` is a ClosedJaxpr, or a jaxpr without constants."""
        jaxpr, constants = (closed.jaxpr, closed.consts) if hasattr(closed, "consts") else (closed, ())
        known = dict(zip(jaxpr.invars, inputs, strict=True))
        known |= {variable: _Value(array, True) for variable, array in zip(jaxpr.constvars, constants, strict=True)}

        def read(atom) -> _Value:
            return _Value(np.asarray(atom.val), True) if hasattr(atom, "val") else known[atom]

        for equation in jaxpr.eqns:
            outputs = self._equation(equation, [read(atom) for atom in equation.invars], scope)
            known |= dict(zip(equation.outvars, outputs, strict=True))
        return [read(atom) for atom in jaxpr.outvars]

    def _equation(self, equation: Any, inputs: Sequence[_Value], scope: str) -> list[_Value]:
        name = equation.primitive.name
        scope = "/".join(filter(None, (scope, str(equation.source_info.name_stack))))
        if name == "scan":
            return self._scan(equation, inputs, scope)
        if name in _CALLS:
            return self.program(equation.params[_CALLS[name]], inputs, scope)
        arrays = equation.primitive.bind(*(value.array for value in inputs), **equation.params)
        operation = _Operation(next(self._numbers), name, scope, _source_line(equation), inputs)
        arrays = arrays if equation.primitive.multiple_results else [arrays]
        return [_Value(array, _is_finite(array), operation) for array in arrays]

    def _scan(self, equation: Any, inputs: Sequence[_Value], scope: str) -> list[_Value]:
        """Runs a scan iteration by iteration.

        Scanned arrays are recognised by their shape, because versions of JAX name the parameters differently.
        """
        params, body = equation.params, getattr(equation.params["jaxpr"], "jaxpr", equation.params["jaxpr"])
        num_scanned = sum(map(_shapes_differ, equation.invars, body.invars))
        num_carry = len(body.outvars) - sum(map(_shapes_differ, equation.outvars, body.outvars))
        num_constants = len(inputs) - num_carry - num_scanned
        constants, carry = inputs[:num_constants], inputs[num_constants:][:num_carry]
        scanned = inputs[num_constants + num_carry :]
        iterations, stacked = range(params["length"]), []
        for i in reversed(iterations) if params["reverse"] else iterations:
            slices = [dataclasses.replace(value, array=value.array[i]) for value in scanned]
            outputs = self.program(params["jaxpr"], [*constants, *carry, *slices], scope)
            carry = outputs[:num_carry]
            stacked.append(outputs[num_carry:])
        if params["reverse"]:
            stacked.reverse()
        return [*carry, *(_stack(values) for values in zip(*stacked, strict=True))]


def _shapes_differ(outside: Any, inside: Any) -> bool:
    """Whether a variable of a scan has another shape inside the scan."""
    return outside.aval.shape != inside.aval.shape


def _stack(values: Sequence[_Value]) -> _Value:
    """One value from the iterations of a scan, with the operation behind the first iteration that is not finite."""
    first_bad = next((value for value in values if not value.finite), values[0])
    return dataclasses.replace(first_bad, array=jnp.stack([value.array for value in values]))


def _origin(value: _Value) -> _Value:
    """Follows non-finite inputs back to an operation whose inputs are all finite.

    This path never meets a number that the program masks later (in the other branch of a `where`).
    """
    while bad_inputs := [operand for operand in value.made_by.inputs if not operand.finite]:
        value = bad_inputs[0]
    return value


def _describe(value: _Value) -> str:
    """The operation behind a non-finite tensor, in words."""
    array = np.asarray(value.array, np.float32)
    share = f"{np.sum(~np.isfinite(array))} of its {array.size} numbers are not finite"
    operation = value.made_by
    low, high = _range(operation.inputs)
    scope = f" in {operation.scope}" if operation.scope else ""
    line = f", {operation.source_line}" if operation.source_line else ""
    return (
        f"the first bad tensor is the output of '{operation.name}'{scope}{line}: shape {list(array.shape)}, {share}; "
        f"its inputs are finite, from {low:.3g} to {high:.3g}"
    )


def _range(values: Sequence[_Value]) -> tuple[float, float]:
    """Smallest and largest number in the floating-point tensors among `values`; NaN without any."""
    arrays = [
        np.asarray(value.array, np.float64) for value in values if jnp.issubdtype(value.array.dtype, jnp.floating)
    ]
    arrays = [array for array in arrays if array.size]
    return min((a.min() for a in arrays), default=np.nan), max((a.max() for a in arrays), default=np.nan)


def first_not_finite(function: Callable, *arguments: Any) -> str | None:
    """The origin of the first non-finite number in function(*arguments), in words; None if all outputs are finite.

    Only numbers that reach an output count. Operations run one by one, so this is slow: use it for one training step.
    """
    leaves = [
        (path, _Value(array, _is_finite(array)))
        for path, array in jax.tree.leaves_with_path(jax.tree.map(jnp.asarray, arguments))
    ]
    for path, value in leaves:
        if not value.finite:
            return f"{jax.tree_util.keystr(path[1:], simple=True, separator='.')} was not finite before the step"
    closed = jax.make_jaxpr(function)(*arguments)
    outputs = _Run().program(closed, [value for _, value in leaves])
    origins = [_origin(value) for value in outputs if not value.finite]
    return _describe(min(origins, key=lambda value: value.made_by.number)) if origins else None


def repeat(step: Callable, program: Any, key: jax.Array, steps: range, steps_per_call: int) -> str:
    """Repeats `steps` with the program of a single seed, and searches the last two for the first non-finite number.

    The origin of a non-finite loss is in the same step, or in the update at the end of the step before.
    """
    first_searched = max(steps.stop - 2, steps.start)
    for i in range(steps.start, first_searched, steps_per_call):
        program.advance(Call(i, min(steps_per_call, first_searched - i)), [0])
    for i in range(first_searched, steps.stop):
        if origin := first_not_finite(step, program.state(0), program.batches(0, i), key):
            return f"In step {i + 1} {origin}"
        program.advance(Call(i, 1), [0])
    return "Repeated, every number was finite: the machine's rounding decides here"
