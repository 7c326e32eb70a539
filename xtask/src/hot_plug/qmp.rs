//! QEMU's monitor protocol, as far as devices are concerned (QEMU, `docs/interop/qmp-spec`).

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

/// The longest wait for an answer. QEMU's main loop may be busy with the guest.
const ANSWER_DEADLINE: Duration = Duration::from_secs(10);

/// A connection to the monitor of a QEMU.
pub(super) struct Qmp {
    commands: UnixStream,
    answers: BufReader<UnixStream>,
}

impl Qmp {
    pub(super) fn connect(socket: &Path) -> Result<Self> {
        let commands = UnixStream::connect(socket)
            .with_context(|| format!("QEMU's monitor cannot be reached at {}", socket.display()))?;
        commands.set_read_timeout(Some(ANSWER_DEADLINE))?;
        let answers = BufReader::new(commands.try_clone()?);
        let mut qmp = Self { commands, answers };
        ensure!(qmp.read()?.get("QMP").is_some(), "QEMU's monitor does not greet");
        qmp.execute("qmp_capabilities", &json!({}))?;
        Ok(qmp)
    }

    /// Adds a device; `argument` is as that of `-device`.
    pub(super) fn add_device(&mut self, argument: &str) -> Result<()> {
        let mut parts = argument.split(',');
        let driver = parts.next().unwrap_or_default();
        let properties = self.execute("device-list-properties", &json!({ "typename": driver }))?;
        let mut arguments = serde_json::Map::new();
        arguments.insert("driver".into(), driver.into());
        for part in parts {
            let (name, value) =
                part.split_once('=').with_context(|| format!("{part}: expected NAME=VALUE"))?;
            arguments.insert(name.into(), typed(&properties, name, value)?);
        }
        self.execute("device_add", &Value::Object(arguments)).map(drop)
    }

    /// Asks the guest to release a device.
    pub(super) fn remove_device(&mut self, id: &str) -> Result<()> {
        self.execute("device_del", &json!({ "id": id })).map(drop)
    }

    /// All PCI buses, each with its devices (`query-pci`).
    pub(super) fn pci_buses(&mut self) -> Result<Value> {
        self.execute("query-pci", &json!({}))
    }

    /// Executes a command and returns its result; events in between are skipped.
    fn execute(&mut self, command: &str, arguments: &Value) -> Result<Value> {
        writeln!(self.commands, "{}", json!({ "execute": command, "arguments": arguments }))
            .context("QEMU's monitor is gone")?;
        loop {
            let mut answer = self.read()?;
            if let Some(error) = answer.get("error") {
                bail!("{command}: {}", error["desc"].as_str().unwrap_or("refused"));
            }
            if let Some(result) = answer.get_mut("return") {
                return Ok(result.take());
            }
        }
    }

    fn read(&mut self) -> Result<Value> {
        let mut line = String::new();
        let length = self.answers.read_line(&mut line).context("QEMU's monitor does not answer")?;
        ensure!(length > 0, "QEMU's monitor is gone");
        serde_json::from_str(&line).with_context(|| format!("QEMU's monitor: {}", line.trim()))
    }
}

/// The value of a property in its own type: QMP distinguishes numbers, switches and texts where the command line has
/// texts only. `properties` is QEMU's list; a property that is not in it is a text.
pub(super) fn typed(properties: &Value, name: &str, value: &str) -> Result<Value> {
    let is_it = |property: &&Value| property["name"] == name;
    let kind =
        properties.as_array().and_then(|all| all.iter().find(is_it)).and_then(|it| it["type"].as_str());
    Ok(match kind.unwrap_or_default() {
        "bool" => match value {
            "on" => true.into(),
            "off" => false.into(),
            _ => bail!("{name}={value}: expected on or off"),
        },
        // `addr` is a number to QEMU 7.2, and yet takes `0.1`; QEMU judges what is not a number.
        kind if kind.starts_with("int") || kind.starts_with("uint") => {
            let number = match value.strip_prefix("0x") {
                Some(digits) => u64::from_str_radix(digits, 16),
                None => value.parse(),
            };
            number.map_or_else(|_| value.into(), Value::from)
        }
        _ => value.into(),
    })
}
