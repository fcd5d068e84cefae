"""Work at start-up for a compiler that is turned off on this platform (see ``torch_compile``)."""

import sys
from importlib.machinery import ModuleSpec

import wrapt

WHERE = "vllm.env_override"
LOWERING = "torch._inductor.lowering"


class _LeaveOutLowering:
    """Finder of no module: it hides :data:`LOWERING` once somebody looks for :data:`WHERE`."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        if name == WHERE:
            sys.modules.setdefault(LOWERING, None)  # type: ignore[arg-type]  # Python's way to refuse an import
        return None


def leave_out_lowering() -> None:
    """Keep ``import vllm`` (0.28.0) from importing inductor's lowerings: about a second in each of seven processes.

    vLLM changes a list in them and does without where they cannot be imported. They are hidden while its one module
    runs, no longer. Not needed once vLLM waits until inductor is used.
    """
    if LOWERING not in sys.modules and WHERE not in sys.modules:
        sys.meta_path.insert(0, _LeaveOutLowering())
        wrapt.register_post_import_hook(lambda module: sys.modules.pop(LOWERING, None), WHERE)
