//! The first instruction.

use core::arch::global_asm;

// The kernel enters with the arguments on the stack, which are not needed, and the stack pointer aligned.
global_asm!(
    ".globl _start",
    "_start:",
    "mov x29, xzr",
    "mov x30, xzr",
    "bl {main}",
    "brk #1",
    main = sym crate::main,
);
