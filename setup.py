"""Build of the Cython engine. Everything else is declared in pyproject.toml.

Environment switches (all off by default; the results carry the same bits whichever is set):

MARROWSIM_OPENMP=0        build without OpenMP even where the compiler has it
MARROWSIM_BOUNDSCHECK=1   check every array index in the engine (slow; for tests)
"""

import os
import shutil
import sys
import tempfile
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

HERE = Path(__file__).parent
ENGINE = "marrowsim._engine"

# No contraction of a*b+c, so that every processor rounds alike; errno and traps are not used.
UNIX_FLAGS = ["-O3", "-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math"]
COMPILER_REMEDY = "sudo apt-get install --no-install-recommends gcc libc6-dev python3-dev"


def openmp_flags(compiler):
    """Compile and link flags for OpenMP, or an empty list where a probe program does not build."""
    if os.environ.get("MARROWSIM_OPENMP") == "0" or compiler.compiler_type == "msvc":
        return []
    with tempfile.TemporaryDirectory() as scratch:
        source = Path(scratch, "probe.c")
        source.write_text("#include <omp.h>\nint main(void) { return omp_get_max_threads() < 1; }\n")
        try:
            objects = compiler.compile([str(source)], output_dir=scratch, extra_postargs=["-fopenmp"])
            compiler.link_executable(objects, "probe", output_dir=scratch, extra_postargs=["-fopenmp"])
        except Exception:
            return []
    return ["-fopenmp"]


def require_compiler(compiler):
    """Stop with one plain line where no C compiler or no Python headers are to be had."""
    with tempfile.TemporaryDirectory() as scratch:
        source = Path(scratch, "probe.c")
        source.write_text("#include <Python.h>\nint main(void) { return 0; }\n")
        try:
            compiler.compile([str(source)], output_dir=scratch)
        except Exception as error:
            sys.exit(
                "marrowsim: the engine is compiled on installation, and no working C compiler with the "
                f"Python headers was found ({error}).\nRemedy: {COMPILER_REMEDY}"
            )


class BuildEngine(build_ext):
    """build_ext that probes the compiler first and adds OpenMP where it is there."""

    def build_extensions(self):
        require_compiler(self.compiler)
        if self.compiler.compiler_type != "msvc":
            parallel = openmp_flags(self.compiler)
            for extension in self.extensions:
                extension.extra_compile_args += UNIX_FLAGS + parallel
                extension.extra_link_args += parallel
        super().build_extensions()


def engine_modules():
    """The Cython extensions, translated with `marrowsim._engine` as the package of every `.pxd`.

    Cython resolves `from .lattice cimport` by module name, not by folder, so the headers are
    mirrored to where that name says they are.
    """
    checked = os.environ.get("MARROWSIM_BOUNDSCHECK") == "1"
    build = HERE / "build" / ("cython-checked" if checked else "cython")
    include = build / "include"
    package = include / "marrowsim" / "_engine"
    package.mkdir(parents=True, exist_ok=True)
    (include / "marrowsim" / "__init__.py").touch()
    for header in [*(HERE / "ext").glob("*.pxd"), HERE / "ext" / "__init__.py"]:
        target = package / header.name
        if not target.exists() or target.read_bytes() != header.read_bytes():
            shutil.copyfile(header, target)
    headers = [f"ext/{header.name}" for header in sorted((HERE / "ext").glob("*.h"))]
    extensions = [
        Extension(f"{ENGINE}.{source.stem}", [f"ext/{source.name}"], include_dirs=["ext"], depends=headers)
        for source in sorted((HERE / "ext").glob("*.pyx"))
    ]
    return cythonize(
        extensions,
        include_path=[str(include)],
        build_dir=str(build),
        compiler_directives={
            "language_level": 3,
            "boundscheck": checked,
            "wraparound": False,
            "initializedcheck": checked,
            "cdivision": True,
            "embedsignature": True,
        },
    )


setup(ext_modules=engine_modules(), cmdclass={"build_ext": BuildEngine})
