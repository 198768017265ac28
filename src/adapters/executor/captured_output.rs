//! What is kept of the output of a program: its beginning and its end, and how that is written in JSON.
//!
//! Reading it from the program does not belong here.

use std::collections::VecDeque;

use base64::{Engine, engine::general_purpose::STANDARD};

use crate::domain::operation::command_exec::OutputEncoding;

/// Bytes that are kept of the beginning, and of the end, where a record may be as large.
pub(super) const KEPT: usize = 64 * 1024;
/// How many times more bytes a text may take in JSON than are kept of the beginning, where quotes and line breaks take
/// two. One that is full of other control characters, six bytes each, is written in Base64, which takes less.
const LARGEST: usize = 4;

/// The beginning and the end of an output.
#[derive(Debug)]
pub(super) struct CapturedOutput {
    /// Bytes that are kept of each.
    kept: usize,
    head: Vec<u8>,
    tail: VecDeque<u8>,
    left_out: bool,
}

/// An output as it is recorded.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct WrittenOutput {
    pub(super) text: String,
    pub(super) encoding: OutputEncoding,
    pub(super) truncated: bool,
}

/// The bytes of beginning and end that two outputs may have, so that they are part of a record of this size.
pub(super) fn kept_in(record: usize) -> usize {
    /// What else is in a record.
    const REST: usize = 8 * 1024;
    KEPT.min(record.saturating_sub(REST) / (2 * LARGEST))
}

impl CapturedOutput {
    /// Of which so many bytes of the beginning and of the end are kept.
    pub(super) fn new(kept: usize) -> Self {
        Self { kept, head: Vec::new(), tail: VecDeque::new(), left_out: false }
    }

    /// Takes what the program wrote next.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        let (head, rest) = bytes.split_at(bytes.len().min(self.kept - self.head.len()));
        self.head.extend_from_slice(head);
        let (passed, tail) = rest.split_at(rest.len().saturating_sub(self.kept));
        let over = (self.tail.len() + tail.len()).saturating_sub(self.kept);
        self.left_out |= over > 0 || !passed.is_empty();
        self.tail.drain(..over);
        self.tail.extend(tail);
    }

    /// Writes it as text where it is UTF-8, else in Base64. A character that we cut in two is left out.
    ///
    /// `interrupted`: the program was not the one who ended its output.
    pub(super) fn write(mut self, interrupted: bool) -> WrittenOutput {
        if !self.left_out {
            self.head.extend(self.tail.drain(..));
        }
        let tail = self.tail.make_contiguous();
        let start = if self.left_out { tail.iter().take(3).take_while(|byte| is_inside(**byte)).count() } else { 0 };
        let pieces = (text(&self.head, self.left_out || interrupted), text(&tail[start..], interrupted));
        if let (Some(head), Some(tail)) = pieces
            && json_len(head) + json_len(tail) <= LARGEST * self.kept
        {
            let truncated = self.left_out || head.len() < self.head.len();
            return WrittenOutput { text: [head, tail].concat(), encoding: OutputEncoding::Utf8, truncated };
        }
        let text = STANDARD.encode([&self.head, &*tail].concat());
        WrittenOutput { text, encoding: OutputEncoding::Base64, truncated: self.left_out }
    }
}

/// Whether the byte stands inside of a character of UTF-8 (RFC 3629 §3).
const fn is_inside(byte: u8) -> bool {
    byte & 0b1100_0000 == 0b1000_0000
}

/// The bytes as text; one that was cut at its end without the character that was cut.
fn text(bytes: &[u8], cut: bool) -> Option<&str> {
    match str::from_utf8(bytes) {
        Ok(text) => Some(text),
        Err(error) if cut && error.error_len().is_none() => str::from_utf8(&bytes[..error.valid_up_to()]).ok(),
        Err(_) => None,
    }
}

/// Bytes that a text takes in a JSON string (RFC 8259 §7).
fn json_len(text: &str) -> usize {
    let len = |byte: u8| match byte {
        b'"' | b'\\' | b'\n' | b'\r' | b'\t' | 0x08 | 0x0c => 2,
        0x00..0x20 => 6,
        _ => 1,
    };
    text.bytes().map(len).sum()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn captured(chunks: &[&[u8]]) -> CapturedOutput {
        let mut output = CapturedOutput::new(KEPT);
        for chunk in chunks {
            output.push(chunk);
        }
        output
    }

    fn utf8(text: impl Into<String>, truncated: bool) -> WrittenOutput {
        WrittenOutput { text: text.into(), encoding: OutputEncoding::Utf8, truncated }
    }

    #[test]
    fn what_fits_is_kept_as_it_is() {
        assert_eq!(captured(&[]).write(false), utf8("", false));
        assert_eq!(captured(&[b"a\0b\x1b[1m\"\xc3", b"\xa4\n"]).write(false), utf8("a\0b\x1b[1m\"ä\n", false));
        let all = "x".repeat(2 * KEPT);
        assert_eq!(captured(&[all.as_bytes()]).write(false), utf8(all, false));
    }

    #[test]
    fn two_outputs_of_any_kind_fit_into_the_record() {
        assert_eq!(kept_in(1024 * 1024), KEPT);
        for record in [16 * 1024, 64 * 1024, 256 * 1024] {
            let kept = kept_in(record);
            assert!(kept > 0 && kept < KEPT);
            for text in ["x", "\n", "\u{1}", "ä", "\u{fffd}"] {
                let mut output = CapturedOutput::new(kept);
                output.push(text.repeat(3 * kept).as_bytes());
                let written = output.write(false);
                assert!(written.truncated && 2 * json_len(&written.text) < record, "{text:?} in {record}");
            }
        }
        assert_eq!(kept_in(0), 0);
    }

    #[test]
    fn one_byte_more_is_cut_in_the_middle_and_marked() {
        let (head, tail) = ("h".repeat(KEPT), "t".repeat(KEPT));
        let written = captured(&[head.as_bytes(), b"-", tail.as_bytes()]).write(false);
        assert_eq!(written, utf8(head + &tail, true));
    }

    #[test]
    fn what_is_no_text_travels_as_base64_whole() {
        for bytes in [&b"\xff"[..], b"\xc3", b"ok \xed\xa0\x80", b"\x80"] {
            let written = captured(&[bytes]).write(false);
            assert_eq!((written.encoding, written.truncated), (OutputEncoding::Base64, false));
            assert_eq!(STANDARD.decode(written.text).expect("Base64"), bytes);
        }
    }

    #[test]
    fn a_character_that_an_interruption_cut_is_left_out_and_marked() {
        assert_eq!(captured(&["aä".as_bytes()]).write(true), utf8("aä", false));
        assert_eq!(captured(&[b"a\xc3"]).write(true), utf8("a", true));
        assert_eq!(captured(&[b"a\xf0\x9f\x92"]).write(true), utf8("a", true));
        assert_eq!(captured(&[b"a\xff"]).write(true).encoding, OutputEncoding::Base64);
        let long = [&b"x".repeat(3 * KEPT)[..], b"\xc3"].concat();
        assert_eq!(captured(&[&long]).write(true), utf8("x".repeat(2 * KEPT - 1), true));
    }

    #[test]
    fn text_full_of_control_characters_is_not_six_times_as_long() {
        let few = "\x01".repeat(LARGEST * KEPT / 6) + "xxxx";
        assert_eq!(captured(&[few.as_bytes()]).write(false), utf8(few.clone(), false));
        let written = captured(&[few.as_bytes(), b"x"]).write(false);
        assert_eq!((written.encoding, written.truncated), (OutputEncoding::Base64, false));
        let breaks = "\n\"".repeat(KEPT);
        assert_eq!(captured(&[breaks.as_bytes()]).write(false), utf8(breaks, false));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn cuts_never_make_something_else_of_text(
            chars in prop::collection::vec(prop::sample::select(vec!["a", "\n", "ä", "€", "💡"]), 1..7),
            repeat in (2 * KEPT / 28)..(3 * KEPT / 7),
            chunk in 1..100_000_usize,
            interrupted: bool,
        ) {
            let all = chars.concat().repeat(repeat);
            let mut output = CapturedOutput::new(KEPT);
            for chunk in all.as_bytes().chunks(chunk) {
                output.push(chunk);
            }
            let written = output.write(interrupted);
            prop_assert_eq!(written.encoding, OutputEncoding::Utf8);
            prop_assert_eq!(written.truncated, all.len() > 2 * KEPT);
            if written.truncated {
                let whole_up_to = (0..=KEPT).rfind(|end| all.is_char_boundary(*end));
                let (head, tail) = written.text.split_at(whole_up_to.expect("0 is one"));
                prop_assert!(all.starts_with(head) && all.ends_with(tail));
                prop_assert!(tail.len() > KEPT - 4 && tail.len() <= KEPT, "{}", tail.len());
            } else {
                prop_assert_eq!(written.text, all);
            }
        }

        #[test]
        fn whatever_is_written_it_is_kept_exactly_or_cut_and_stays_small(
            pieces in prop::collection::vec((any::<[u8; 3]>(), 0..40_000_usize), 0..6),
            interrupted: bool,
        ) {
            let all: Vec<u8> = pieces.iter().flat_map(|(bytes, count)| bytes.repeat(*count)).collect();
            let mut output = CapturedOutput::new(KEPT);
            for chunk in all.chunks(32 * 1024) {
                output.push(chunk);
            }
            let written = output.write(interrupted);
            let in_json = serde_json::to_string(&written.text).expect("serializes").len();
            prop_assert!(in_json <= LARGEST * KEPT + 2, "{in_json}");
            if !written.truncated {
                let kept = match written.encoding {
                    OutputEncoding::Utf8 => written.text.into_bytes(),
                    OutputEncoding::Base64 => STANDARD.decode(written.text).expect("Base64"),
                };
                prop_assert_eq!(kept, all);
            }
        }

        #[test]
        fn the_length_in_json_is_what_serde_writes(text: String, control in prop::collection::vec(0..=0x7f_u8, 0..50)) {
            let text = text + &control.into_iter().map(char::from).collect::<String>();
            prop_assert_eq!(json_len(&text) + 2, serde_json::to_string(&text).expect("serializes").len());
        }
    }
}
