"""experiments.scaling: the collectives in a program's text, and the page."""

import pytest

from experiments.scaling import program, report

TEXT = """
  %add = f32[8,4]{1,0} add(%a, %b), metadata={op_name="jit(placed)/while/body/add"}
  %all-reduce.2 = (f32[], f32[4,5]{1,0}) all-reduce(%c, %d), metadata={op_name="jit(placed)/while/body/f:g"}
  %all-gather.1 = bf16[16]{0} all-gather-start(%e), metadata={op_name="jit(placed)/h"}
"""


def test_collectives_are_read_from_a_program():
    first, second = program.collectives(TEXT)
    assert (first["kind"], first["bytes"], first["where"]) == ("all-reduce", 4 * 21, "in the loop over steps")
    assert (second["kind"], second["bytes"], second["where"]) == ("all-gather", 32, "outside of it")


@pytest.mark.slow
def test_a_program_of_one_device_has_the_modelled_operations():
    """The reference for more devices. A mesh of one device has no all-reduce."""
    alone, one = (program.describe("configs/cgan.py:tuned", 2, count) for count in (0, 1))
    assert one["flops_a_device"] == pytest.approx(alone["flops_a_device"], rel=1e-3)
    assert alone["collectives"] == one["collectives"] == []
    assert one["model_bytes"] == 0


def test_the_traffic_of_a_ring_all_reduce():
    assert report.ring_bytes(100.0, 1) == 0
    assert report.ring_bytes(100.0, 2) == 100
    assert report.ring_bytes(100.0, 4) == 150
