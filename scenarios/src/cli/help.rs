//! `relaybed help`: of commands, and of the scenario language.

use clap::Parser as _;

use super::exit::Exit;
use super::{Cli, Stop, print};

/// Prints the help that `words` ask for.
///
/// # Errors
/// There is no such command, or no such word of the language.
pub(super) fn help(words: &[String]) -> Result<Exit, Stop> {
    match words {
        [topic] if topic == "language" => print(relaybed_lang::reference().trim_end()),
        [topic, word] if topic == "language" => match relaybed_lang::section(word) {
            Ok(text) => print(text.trim_end()),
            Err(why) => Err(Stop::new(Exit::Usage, why)),
        },
        command => {
            let line = ["relaybed"].into_iter();
            let line = line.chain(command.iter().map(String::as_str));
            match Cli::try_parse_from(line.chain(["--help"])) {
                Err(help) if help.use_stderr() => Err(Stop::new(Exit::Usage, help)),
                Err(help) => print(help.to_string().trim_end()),
                Ok(_) => Ok(Exit::Passed),
            }
        }
    }
}
