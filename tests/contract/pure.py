"""A contract for import-linter: the listed modules import the standard library and each other, and do no I/O.

`forbidden` contracts must name what is forbidden, so a new dependency would pass them unseen; this one names nothing.
"""

from __future__ import annotations

import sys

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output

# What no pure module needs. `http` stays allowed for HTTPStatus, `secrets` and `random` for their types.
_IMPURE = {
    *("asyncio", "concurrent", "ctypes", "fcntl", "io", "logging", "multiprocessing", "os", "pathlib", "select"),
    *("shutil", "signal", "socket", "sqlite3", "ssl", "subprocess", "tempfile", "threading", "time"),
}
_ALLOWED = sys.stdlib_module_names - _IMPURE


class PureContract(Contract):
    """`modules` are names of modules or packages; those that do not exist yet are passed over."""

    modules = fields.SetField(subfield=fields.StringField())

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        names: set[str] = self.modules  # type: ignore[assignment]  # the field becomes its value when it is read
        roots = names & graph.modules
        pure = roots.union(*(graph.find_descendants(root) for root in roots))
        impure_imports = sorted(
            f"{importer} -> {imported}"
            for importer in pure
            for imported in graph.find_modules_directly_imported_by(importer)
            if imported not in pure and imported.partition(".")[0] not in _ALLOWED
        )
        return ContractCheck(kept=not impure_imports, metadata={"impure_imports": impure_imports})

    def render_broken_contract(self, check: ContractCheck) -> None:
        for line in check.metadata["impure_imports"]:
            output.print_error(f"{line} is not allowed: pure modules use the standard library only, without I/O.")
