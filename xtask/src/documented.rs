//! The READMEs and the code agree: keys, commands, options, links.

mod commands;
mod keys;
mod links;
mod markdown;
