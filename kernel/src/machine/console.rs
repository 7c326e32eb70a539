//! Text output: the log, line by line during the run, and the report, as a whole at the end.
//!
//! There are two channels, the UART and the host's console by semihosting. One carries the report
//! and the other one the log; if one is absent, the other carries both. Each byte on the UART costs
//! one or two exits from the emulator; a text by semihosting costs a few in all.
//!
//! A text is written as a whole: a CPU waits until the other one has finished its text.

use alloc::string::String;
use core::ffi::CStr;
use core::fmt::{self, Write};
use core::sync::atomic::{AtomicBool, Ordering};

use addr::PhysAddr;
use boot::cpu::relax;
use boot::memory::MapError;
use sync::{TicketGuard, TicketLock};

use super::cpu_owner::CpuOwner;
use super::pl011::Pl011;
use super::spin_deadline::SpinDeadline;
use super::{clock, first_failure, semihosting};

/// Address of the first UART of QEMU's `virt` machine, used until firmware's description has been
/// read.
const FIRST_UART: PhysAddr = PhysAddr(0x0900_0000);

static UART: Pl011 = Pl011::absent();

/// Whether the report goes to the UART, and the log therefore to semihosting.
static REPORT_ON_UART: AtomicBool = AtomicBool::new(false);

/// The lock around writing. It guards no value: the UART's state is atomic, and the host keeps its
/// own.
static TURNS: TicketLock = TicketLock::new();

/// The CPU that is writing.
static WRITER: CpuOwner = CpuOwner::new();

/// How long a failing CPU waits for the end of another CPU's text, in microseconds: far longer than
/// a text takes.
const FAILURE_LIMIT_US: u64 = 200_000;

/// A channel for text output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Channel {
    /// The host's console.
    Semihosting,
    /// The UART.
    Uart,
}

impl Channel {
    fn other(self) -> Self {
        match self {
            Self::Semihosting => Self::Uart,
            Self::Uart => Self::Semihosting,
        }
    }

    fn is_present(self) -> bool {
        match self {
            Self::Semihosting => semihosting::is_present(),
            Self::Uart => UART.is_present(),
        }
    }

    /// This channel, or the other one if this one is absent.
    fn or_other(self) -> Self {
        if self.is_present() { self } else { self.other() }
    }
}

/// Looks for the two channels, with the UART at its usual address.
pub(crate) fn init() {
    semihosting::probe();
    // If there is no UART, the log goes to semihosting until `move_uart`.
    let _ = move_uart(FIRST_UART);
}

/// Like [`init`], if it has not been called or has not found a channel: for early failures.
pub(crate) fn init_if_absent() {
    if !semihosting::is_present() && !UART.is_present() {
        init();
    }
}

/// Uses the PL011 at `registers` from now on; if there is none, changes nothing and returns
/// `false`.
///
/// # Errors
///
/// The registers cannot be mapped.
pub(crate) fn move_uart(registers: PhysAddr) -> Result<bool, MapError> {
    UART.move_to(registers)
}

/// Chooses the channel that carries the report; the other one carries the log.
pub(crate) fn set_report_channel(channel: Channel) {
    REPORT_ON_UART.store(channel == Channel::Uart, Ordering::Relaxed);
}

/// The channel that carries the report: the chosen one, or the only one.
pub(crate) fn report_channel() -> Channel {
    let chosen = if REPORT_ON_UART.load(Ordering::Relaxed) { Channel::Uart } else { Channel::Semihosting };
    chosen.or_other()
}

/// The channel that carries the log.
pub(crate) fn log_channel() -> Channel {
    report_channel().other().or_other()
}

/// Writes the report.
pub(crate) fn write_report(mut text: String) {
    text.push('\0');
    in_turn(|| send(report_channel(), text.as_bytes()));
}

/// Writes one line to the log, with the time since reset before it. Called by [`log!`](crate::log).
pub fn write_log(line: fmt::Arguments<'_>) {
    let time = Time::new(clock::micros());
    in_turn(|| {
        let mut pieces = Pieces { channel: log_channel(), buffer: [0; LOG_PIECE], length: 0 };
        // Formatting fails only if a `Display` implementation does; its output up to that point is
        // still shown.
        let _ = pieces.write_str(time.as_str());
        let _ = pieces.write_fmt(line);
        let _ = pieces.write_str("\n");
        pieces.flush();
    });
}

/// A time as Linux prints it before a line: `[    0.012345] `.
struct Time {
    /// The text, at the end.
    text: [u8; Self::LENGTH],
    start: usize,
}

impl Time {
    /// Length of the longest text: brackets, point and space, and 20 digits.
    const LENGTH: usize = 24;
    /// Length with at most five digits before the point.
    const USUAL: usize = 15;
    const BEHIND: &[u8; 2] = b"] ";

    fn new(mut micros: u64) -> Self {
        let mut text = [b' '; Self::LENGTH];
        let point = Self::LENGTH - Self::BEHIND.len() - 7;
        text[Self::LENGTH - Self::BEHIND.len()] = Self::BEHIND[0];
        text[point] = b'.';
        let mut at = Self::LENGTH - Self::BEHIND.len();
        // All digits behind the point, and at least one before it.
        while micros > 0 || at >= point {
            at -= 1;
            if at != point {
                text[at] = b'0' + (micros % 10) as u8;
                micros /= 10;
            }
        }
        let start = (at - 1).min(Self::LENGTH - Self::USUAL);
        text[start] = b'[';
        Self { text, start }
    }

    fn as_str(&self) -> &str {
        str::from_utf8(&self.text[self.start..]).unwrap_or_default()
    }
}

/// Writes a text as a whole.
fn in_turn(write: impl FnOnce()) {
    let turn = turn();
    write();
    if turn.is_some() {
        WRITER.release();
    }
}

/// This CPU's turn to write. `None` if it writes without one: in the middle of its own text, or to
/// report a failure while another CPU does not finish its text.
fn turn() -> Option<TicketGuard<'static>> {
    if WRITER.is_mine() {
        return None;
    }
    let turn = if first_failure::is_being_reported() {
        let mut deadline = SpinDeadline::new(FAILURE_LIMIT_US, "the console");
        loop {
            match TURNS.try_acquire() {
                None if deadline.is_open() => {}
                turn => break turn?,
            }
        }
    } else {
        TURNS.acquire(relax)
    };
    // No other CPU has a turn.
    WRITER.claim();
    Some(turn)
}

/// Sends `text`, which ends with a NUL.
fn send(channel: Channel, text: &[u8]) {
    match channel {
        Channel::Uart => UART.write(text.split_last().map_or(&[], |(_, text)| text)),
        Channel::Semihosting => {
            // The call stops at a NUL, so NULs are left out of the text.
            let mut rest = text;
            while let Ok(string) = CStr::from_bytes_until_nul(rest) {
                semihosting::write_console(string);
                rest = &rest[string.count_bytes() + 1..];
            }
        }
    }
}

/// Buffer size for the log, in bytes.
const LOG_PIECE: usize = 512;

/// A line of the log, in a buffer without the heap: formatting produces many short pieces, and each
/// call to the host is expensive.
struct Pieces {
    channel: Channel,
    /// One more byte than the text, for the end of a C string.
    buffer: [u8; LOG_PIECE],
    length: usize,
}

impl Pieces {
    fn flush(&mut self) {
        self.buffer[self.length] = 0;
        send(self.channel, &self.buffer[..=self.length]);
        self.length = 0;
    }
}

impl Write for Pieces {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut rest = text.as_bytes();
        while !rest.is_empty() {
            let room = LOG_PIECE - 1;
            if self.length == room {
                self.flush();
            }
            let (now, later) = rest.split_at(rest.len().min(room - self.length));
            self.buffer[self.length..][..now.len()].copy_from_slice(now);
            self.length += now.len();
            rest = later;
        }
        Ok(())
    }
}

/// Writes one line to the log, with the time since reset before it.
#[macro_export]
macro_rules! log {
    ($($text:tt)*) => {
        $crate::write_log(format_args!($($text)*))
    };
}
