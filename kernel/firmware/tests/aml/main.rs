//! The AML reader: real definition blocks, constructs one by one, and damage.

mod builder;
mod construct;
mod damage;
mod dsl;
mod evaluate;
mod fixtures;
mod forge;
mod iasl;
mod methods;
mod resources;
mod server;
mod values;
