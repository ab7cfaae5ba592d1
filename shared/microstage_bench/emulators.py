"""Machines that are not this one: how C is compiled for them, and the emulator that runs it."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

__all__ = ["BOARDS", "MACHINES", "VECTOR_MACHINES", "Machine"]

BOARDS = Path(__file__).with_name("boards")
_QUIET = ("-nographic", "-monitor", "none", "-serial", "none", "-icount", "shift=0", "-chardev", "stdio,id=out")
_SEMIHOSTING = (*_QUIET, "-semihosting-config", "enable=on,target=native,chardev=out,arg=golden.bin")
_MINUTES = ("timeout", "300")  # an emulated processor may hang where a real one would


@dataclass(frozen=True)
class Machine:
    """`emulator` takes the program as its last word; `packages` are Debian's; `clang` are the flags by which clang
    compiles for it, `compilers` (gcc, clang) the programs that can; `clock` is how often its clock ticks in a thousand
    instructions.
    """

    name: str
    compiler: str
    flags: tuple[str, ...]
    link: tuple[str, ...]
    emulator: tuple[str, ...]
    packages: str
    clang: tuple[str, ...] = ()
    clock: int = 0
    compilers: tuple[str, ...] = ("gcc", "clang")

    def tool(self, name: str) -> str:
        """Return another tool of the compiler's family."""
        return f"{self.compiler.removesuffix('gcc')}{name}"

    @property
    def library(self) -> tuple[str, ...]:
        """The flags that choose the C library: its headers as well as what is linked."""
        return tuple(flag for flag in self.link if flag.startswith("--specs"))

    @property
    def missing(self) -> str:
        """What to install, in a sentence; empty where all is here."""
        tools = [tool for tool in (self.compiler, self.emulator[len(_MINUTES)]) if not shutil.which(tool)]
        return f"{' and '.join(tools)} not installed: apt-get install {self.packages}" if tools else ""


def _cortex(name: str, board: str, *flags: str, clock: int = 25, memory: tuple[str, ...] = ()) -> Machine:
    places = [f"-Wl,--defsym={place}" for place in memory]
    startup = ("--specs=rdimon.specs", "-nostartfiles", str(BOARDS / "cortex_m.c"), "-T", str(BOARDS / "cortex_m.ld"))
    emulator = (*_MINUTES, "qemu-system-arm", "-M", board, *_SEMIHOSTING, "-kernel")
    return Machine(
        name,
        "arm-none-eabi-gcc",
        ("-mthumb", *flags),
        (*startup, *places),
        emulator,
        "gcc-arm-none-eabi libnewlib-arm-none-eabi qemu-system-arm",
        ("--target=arm-none-eabi",),
        clock,
    )


def _linux(name: str, triple: str, port: str, *flags: str) -> Machine:
    emulator = (*_MINUTES, f"qemu-{triple.split('-')[0]}", "-cpu", "max")
    return Machine(
        name, f"{triple}-gcc", flags, ("-static",), emulator, f"gcc-{triple} libc6-dev-{port}-cross qemu-user"
    )


_PICOLIBC = ("--specs=picolibc.specs", "--crt0=semihost", "--oslib=semihost")
_MEMORY = {
    "__flash": "0x80000000",
    "__flash_size": "4M",
    "__ram": "0x80400000",
    "__ram_size": "16M",
    "__stack_size": "64K",
}

_AN505 = ("__vectors=0x10000000", "__flash=0x10000040", "__ram=0x38000000")
_AN547 = ("__flash=0x70000000", "__flash_size=16M", "__ram=0x71000000", "__ram_size=16M")

# qemu has no board with a Cortex-M0+: one with a Cortex-M3 executes the same instructions alike
MACHINES = (
    _cortex("cortex-m0+", "mps2-an385", "-mcpu=cortex-m0plus"),
    _cortex("cortex-m4", "mps2-an386", "-mcpu=cortex-m4", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16"),
    _cortex("cortex-m7", "mps2-an500", "-mcpu=cortex-m7", "-mfloat-abi=hard", "-mfpu=fpv5-sp-d16"),
    _cortex("cortex-m33", "mps2-an505", "-mcpu=cortex-m33", "-mfloat-abi=hard", clock=20, memory=_AN505),
    _cortex("cortex-m55", "mps3-an547", "-mcpu=cortex-m55", "-mfloat-abi=hard", clock=32, memory=_AN547),
    Machine(
        "riscv32", "riscv64-unknown-elf-gcc", ("-march=rv32imc", "-mabi=ilp32"),
        (*_PICOLIBC, *(f"-Wl,--defsym={name}={value}" for name, value in _MEMORY.items())),
        (*_MINUTES, "qemu-system-riscv32", "-M", "virt", "-bios", "none", "-m", "32M", *_SEMIHOSTING, "-kernel"),
        "gcc-riscv64-unknown-elf picolibc-riscv64-unknown-elf qemu-system-misc",
        ("--target=riscv32-unknown-elf",),
        1000,
    ),
    _linux("aarch64", "aarch64-linux-gnu", "arm64"),
    _linux("aarch64, dot product", "aarch64-linux-gnu", "arm64", "-march=armv8.2-a+dotprod"),
    _linux("arm, 32 bits", "arm-linux-gnueabihf", "armhf"),
    _linux("s390x, big-endian", "s390x-linux-gnu", "s390x"),
)  # fmt: skip


def _with_vectors(bits: int) -> Machine:
    """64-bit RISC-V with RVV 1.0 in registers of `bits` bits, which clang knows from its version 16 on."""
    memory = (f"-Wl,--defsym={name}={value}" for name, value in _MEMORY.items())
    board = ("qemu-system-riscv64", "-M", "virt", "-cpu", f"rv64,v=true,vlen={bits}", "-bios", "none", "-m", "32M")
    return Machine(
        f"rvv-{bits}",
        "riscv64-unknown-elf-gcc",
        ("-mabi=lp64d", "-mcmodel=medany"),
        (*_PICOLIBC, *memory),
        (*_MINUTES, *board, *_SEMIHOSTING, "-kernel"),
        "gcc-riscv64-unknown-elf picolibc-riscv64-unknown-elf qemu-system-misc",
        ("--target=riscv64-unknown-elf", "-march=rv64gcv"),
        1000,
        ("clang-16",),
    )


VECTOR_MACHINES = tuple(_with_vectors(bits) for bits in (128, 256))
