"""Builds the package: the catalogues of `ciclo.locale` are compiled first, so that every installation has them."""

import os
from pathlib import Path

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

PROJECT = Path(__file__).resolve().parent
CATALOGUES = PROJECT / "include" / "ciclo" / "locale"


def compile_catalogues() -> None:
    """Write the `.mo` beside each `.po` that is newer; whoever reads it meanwhile reads the old one whole."""
    for source in CATALOGUES.glob("*/LC_MESSAGES/*.po"):
        compiled = source.with_suffix(".mo")
        if compiled.exists() and compiled.stat().st_mtime_ns >= source.stat().st_mtime_ns:
            continue
        partial = compiled.with_suffix(f".{os.getpid()}")
        with source.open("rb") as texts, partial.open("wb") as file:
            write_mo(file, read_po(texts))
        partial.replace(compiled)


def main() -> None:
    """Build what setuptools is asked for."""
    from setuptools import setup  # noqa: PLC0415 - compiling alone needs no setuptools
    from setuptools.command.build_py import build_py  # noqa: PLC0415

    class Build(build_py):
        """Compiles the catalogues before the files are listed; ships Dags and plugin for `ciclo dags`."""

        def run(self) -> None:
            compile_catalogues()
            super().run()
            if not self.editable_mode:  # a checkout has them where they are
                self.ship("dags", "plugins")

        def ship(self, *folders: str) -> None:
            for folder in folders:
                target = Path(self.build_lib) / "ciclo" / "shipped" / folder
                target.mkdir(parents=True, exist_ok=True)
                for source in sorted((PROJECT / folder).glob("*.py")):
                    self.copy_file(str(source), str(target / source.name))

    setup(cmdclass={"build_py": Build})


if __name__ == "__main__":
    main()
