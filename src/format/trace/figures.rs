//! Figures as people read them: milliseconds and KB.

use super::{PhaseKind, Trace};

/// What a trace comes to, over all modules.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Microseconds in each kind of phase, as in [`PhaseKind::ALL`].
    pub phases: [u64; PhaseKind::ALL.len()],
    /// Bytes on disk.
    pub file: u64,
    /// Bytes kept in the kernel.
    pub core: u64,
    /// How many of these are lost to page rounding.
    pub wasted: u64,
    /// How many modules did not get into the kernel.
    pub failed: usize,
}

impl Trace {
    /// What it comes to.
    pub fn totals(&self) -> Totals {
        let mut totals = Totals::default();
        for module in &self.modules {
            for phase in &module.phases {
                if let Some(time) = totals.phases.get_mut(phase.kind as usize) {
                    *time += phase.length();
                }
            }
            totals.file += module.file;
            totals.core += module.core;
            totals.wasted += module.wasted;
            totals.failed += usize::from(module.failed());
        }
        totals
    }
}

/// Microseconds as milliseconds: `1,234.5`.
pub fn ms(time: u64) -> String {
    let tenths = (time + 50) / 100;
    format!("{}.{}", grouped(tenths / 10), tenths % 10)
}

/// Bytes as KB: `1,234`.
pub fn kb(bytes: u64) -> String {
    grouped((bytes + 512) / 1024)
}

/// `number` with a comma between thousands.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::trace::tests::sample;

    #[test]
    fn figures_are_rounded_and_grouped() {
        for (time, text) in
            [(0, "0.0"), (49, "0.0"), (50, "0.1"), (12_345, "12.3"), (999_950, "1,000.0")]
        {
            assert_eq!(ms(time), text);
        }
        for (bytes, text) in [(0, "0"), (511, "0"), (512, "1"), (1 << 20, "1,024")] {
            assert_eq!(kb(bytes), text);
        }
        assert_eq!(grouped(1_234_567), "1,234,567");
    }

    #[test]
    fn totals_are_sums() {
        let wanted =
            Totals { phases: [30, 100, 270, 50], file: 3000, core: 28672, wasted: 3000, failed: 1 };
        assert_eq!(sample().totals(), wanted);
    }
}
