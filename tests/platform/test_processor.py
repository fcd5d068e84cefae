"""The processor's fast type, from its flags as Linux lists them."""

import pytest

from daro_verl.platform.processor import fast_dtype


@pytest.mark.parametrize(
    ("cpuinfo", "expected"),
    [
        ("processor\t: 0\nflags\t\t: fpu avx512f avx512_bf16 amx\n", "bfloat16"),
        ("processor\t: 0\nflags\t\t: fpu avx512f avx512bw\n", "float32"),
        ("processor\t: 0\nFeatures\t: fp asimd bf16\n", "bfloat16"),
        ("", "float32"),
    ],
)
def test_bfloat16_only_where_the_processor_multiplies_it(tmp_path, cpuinfo, expected):
    file = tmp_path / "cpuinfo"
    file.write_text(cpuinfo)
    assert fast_dtype(file) == expected


def test_float32_where_nothing_is_known(tmp_path):
    assert fast_dtype(tmp_path / "none") == "float32"
