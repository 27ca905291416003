"""Where the first number that is not finite comes from: a function repeated operation by operation."""

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
# Primitive -> the parameter that holds its program, for those that only call it.
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
    """A tensor, whether all of it is finite, and the operation that made it (None: it was given)."""

    array: Any
    finite: bool
    made_by: "_Operation | None" = None


@dataclasses.dataclass(frozen=True)
class _Operation:
    """name: of the primitive; scope: the modules around it; place: the line of this package that asked for it.

    number: counts operations in the order in which they ran.
    """

    number: int
    name: str
    scope: str
    place: str
    inputs: Sequence[_Value]


def _is_finite(array: Any) -> bool:
    # NumPy: JAX would compile this for every shape that a program has.
    return not jnp.issubdtype(array.dtype, jnp.floating) or bool(np.isfinite(np.asarray(array)).all())


def _place(equation) -> str:
    """file:line of the innermost frame inside of this package, "" without one."""
    traceback = equation.source_info.traceback
    for frame in traceback.frames if traceback else ():
        path = pathlib.Path(frame.file_name)
        if _PACKAGE in path.parents:
            return f"{path.relative_to(_PACKAGE.parent)}:{frame.line_num}"
    return ""


class _Run:
    """Runs programs equation by equation; every output knows its history."""

    def __init__(self):
        self._numbers = itertools.count()

    def program(self, closed: Any, inputs: Sequence[_Value], scope: str = "") -> list[_Value]:
        """The outputs of a jaxpr, closed over its constants or without any."""
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
        operation = _Operation(next(self._numbers), name, scope, _place(equation), inputs)
        arrays = arrays if equation.primitive.multiple_results else [arrays]
        return [_Value(array, _is_finite(array), operation) for array in arrays]

    def _scan(self, equation: Any, inputs: Sequence[_Value], scope: str) -> list[_Value]:
        """Turn by turn. What has an axis for the turns is told by its shape: versions of JAX name it differently."""
        params, body = equation.params, getattr(equation.params["jaxpr"], "jaxpr", equation.params["jaxpr"])
        num_rest = sum(map(_differ, equation.invars, body.invars))
        num_carry = len(body.outvars) - sum(map(_differ, equation.outvars, body.outvars))
        num_fixed = len(inputs) - num_carry - num_rest
        fixed, carry, rest = inputs[:num_fixed], inputs[num_fixed:][:num_carry], inputs[num_fixed + num_carry :]
        turns, stacked = range(params["length"]), []
        for turn in reversed(turns) if params["reverse"] else turns:
            now = [dataclasses.replace(value, array=value.array[turn]) for value in rest]
            outputs = self.program(params["jaxpr"], [*fixed, *carry, *now], scope)
            carry = outputs[:num_carry]
            stacked.append(outputs[num_carry:])
        if params["reverse"]:
            stacked.reverse()
        return [*carry, *(_stack(values) for values in zip(*stacked, strict=True))]


def _differ(outside: Any, inside: Any) -> bool:
    """Whether a variable of a scan has another shape inside of it."""
    return outside.aval.shape != inside.aval.shape


def _stack(values: Sequence[_Value]) -> _Value:
    """One value of a scan's turns; its history is that of the first turn that is not finite."""
    bad = next((value for value in values if not value.finite), values[0])
    return dataclasses.replace(bad, array=jnp.stack([value.array for value in values]))


def _origin(value: _Value) -> _Value:
    """Back through what is not finite, to the operation that was given finite tensors only.

    What a program masks afterwards (the other branch of a `where`) is never met on this way.
    """
    while bad := [given for given in value.made_by.inputs if not given.finite]:
        value = bad[0]
    return value


def _describe(value: _Value) -> str:
    array = np.asarray(value.array, np.float32)
    share = f"{np.sum(~np.isfinite(array))} of its {array.size} numbers are not finite"
    operation = value.made_by
    low, high = _range(operation.inputs)
    scope = f" in {operation.scope}" if operation.scope else ""
    place = f", {operation.place}" if operation.place else ""
    return (
        f"the first bad tensor is what '{operation.name}' makes{scope}{place}: shape {list(array.shape)}, {share}; "
        f"what it was given is finite, from {low:.3g} to {high:.3g}"
    )


def _range(values: Sequence[_Value]) -> tuple[float, float]:
    """Smallest and largest number of the floating tensors among them."""
    arrays = [
        np.asarray(value.array, np.float64) for value in values if jnp.issubdtype(value.array.dtype, jnp.floating)
    ]
    arrays = [array for array in arrays if array.size]
    return min((a.min() for a in arrays), default=np.nan), max((a.max() for a in arrays), default=np.nan)


def first_not_finite(function: Callable, *arguments: Any) -> str | None:
    """Says in words where the first number that is not finite arises in function(*arguments); None without one.

    Only what reaches an output counts. The operations run one by one: slow, and for one step of training only.
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
    """Says what `first_not_finite` finds in the last two of `steps`, which a single seed's program takes again.

    A loss that is not finite tells of its own step, or of the update at the end of the one before.
    """
    near = max(steps.stop - 2, steps.start)
    for now in range(steps.start, near, steps_per_call):
        program.advance(Call(now, min(steps_per_call, near - now)), [0])
    for now in range(near, steps.stop):
        if found := first_not_finite(step, program.state(0), program.batches(0, now), key):
            return f"In step {now + 1} {found}"
        program.advance(Call(now, 1), [0])
    return "Repeated, every number was finite: the machine's rounding decides here"
