"""The stand-ins: there for SGLang only, and every call is refused by name."""

from tests.platform.processes import run_code

INSTALL = "import sys, types\nfrom daro_verl.platform import stand_ins\nstand_ins.install()\n"
WITH_SGLANG = f"{INSTALL}sys.modules['sglang'] = types.ModuleType('sglang')\n"
ATTEMPT = """
def attempt(code):
    try:
        exec(code, {})
    except Exception as error:
        return f"{type(error).__name__}: {error}"
"""


def test_nothing_is_found_before_sglang_is_imported():
    missing = "ModuleNotFoundError: No module named 'sgl_kernel'"
    run_code(f'{INSTALL}{ATTEMPT}assert attempt("import sgl_kernel") == {missing!r}')


def test_names_can_be_imported_but_not_called():
    run_code(
        f"{WITH_SGLANG}{ATTEMPT}"
        "call = attempt('from sgl_kernel.kvcacheio import transfer_kv_direct; transfer_kv_direct(1)')\n"
        "assert call.startswith('NotImplementedError: sgl_kernel.kvcacheio.transfer_kv_direct: got a call'), call\n"
        "assert stand_ins.is_stand_in('sgl_kernel') and not stand_ins.is_stand_in('json')\n"
    )


def test_the_rest_of_the_packages_stays_missing():
    """SGLang has its own ways for a missing kernel."""
    run_code(
        f"{WITH_SGLANG}{ATTEMPT}"
        "assert attempt('from sgl_kernel import silu_and_mul').startswith('ImportError')\n"
        "assert attempt('from sgl_kernel.scalar_type import scalar_types').startswith('ModuleNotFoundError')\n"
    )
