//! The words of `--append`.

use report::{Console, Firmware, Form};

use crate::choices::{self, Choice};
use crate::outcome::Stop;

/// The words of `--append`. Those that the tool answers for itself are taken out and mean what the
/// option of their name means.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Words {
    /// For the kernel.
    pub(super) kernel: Vec<String>,
    pub(super) form: Option<Form>,
    pub(super) console: Option<Console>,
    pub(super) firmware: Option<Firmware>,
    pub(super) path: Option<probe::Path>,
    pub(super) order: Option<String>,
}

impl Words {
    pub(super) fn parse(text: &str) -> Result<Self, Stop> {
        let mut words = Self::default();
        for word in text.split_whitespace() {
            let (name, value) = word.split_once('=').unwrap_or((word, ""));
            match name {
                Form::NAME => words.form = Some(chosen(word, value)?),
                Console::NAME => words.console = Some(chosen(word, value)?),
                Firmware::NAME => words.firmware = Some(chosen(word, value)?),
                "path" => words.path = Some(chosen(word, value)?),
                "order" => words.order = Some(value.to_owned()),
                "dtb" => {
                    let what = "names a file of the guest's host; give the file with --dtb FILE instead";
                    return Err(Stop::usage(format!("--append: {word} {what}")));
                }
                _ => words.kernel.push(word.to_owned()),
            }
        }
        Ok(words)
    }
}

/// The value of a word of `--append`, out of a closed set.
fn chosen<C: Choice>(word: &str, value: &str) -> Result<C, Stop> {
    choices::of_word(value).map_err(|why| Stop::usage(format!("--append: {word}: {why}")))
}

/// The one value that an option and a word of `--append` agree on.
pub(super) fn agreed<T: PartialEq>(
    name: &str,
    option: Option<T>,
    word: Option<T>,
) -> Result<Option<T>, Stop> {
    if option.is_some() && word.is_some() && option != word {
        return Err(Stop::usage(format!("--{name} and {name}= in --append contradict each other")));
    }
    Ok(option.or(word))
}
