//! How much AML may ask for: in one name or expression, in one evaluation, in all of them together.

/// Most statements and operators of one evaluation.
pub(super) const MAX_STEPS: usize = 1 << 16;

/// Most statements and operators of all evaluations together.
pub(super) const MAX_ALL_STEPS: usize = 1 << 20;

/// Copying so many bytes counts as a step.
pub(super) const BYTES_OF_A_STEP: usize = 64;

/// Deepest nesting of operators, blocks and calls together.
pub(super) const MAX_DEPTH: usize = 64;

/// Deepest nesting of packages in a value.
pub(super) const MAX_PACKAGE_DEPTH: usize = 8;

/// Most bytes and elements that are handed out for all devices together: one text or template may be used by many.
pub(super) const MAX_VALUE_BYTES: usize = 1 << 20;

/// Most steps up (`^`) in one name; no tree is deeper.
pub(super) const MAX_PARENTS: usize = 64;

/// Most operands and operators of one expression.
pub(super) const MAX_EXPRESSION: usize = 1024;
