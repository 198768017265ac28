//! The packets of an echo: ICMP (RFC 792), and that of version 6 (RFC 4443 §4). Sending and timing them is not done here.

/// Bytes of a request: a header of 8, and what it carries to be recognised by, as many as ping(8) sends.
pub(super) const REQUEST_LENGTH: usize = 64;
const HEADER_LENGTH: usize = 8;
/// The protocol number of ICMP in the header of an IPv4 packet.
const ICMP: u8 = 1;

/// Which protocol is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    V4,
    V6,
}

impl Family {
    const fn request_type(self) -> u8 {
        match self {
            Self::V4 => 8,
            Self::V6 => 128,
        }
    }

    const fn reply_type(self) -> u8 {
        match self {
            Self::V4 => 0,
            Self::V6 => 129,
        }
    }
}

/// Requests that belong together, told from all others by their identifier and by what they carry.
#[derive(Debug, Clone, Copy)]
pub(super) struct Conversation {
    pub(super) family: Family,
    /// Told apart by it on a raw socket; on a datagram socket the kernel puts its own there and looks at it itself.
    pub(super) identifier: Option<u16>,
    /// Comes back with each echo. Random, so that no reply to somebody else has it.
    pub(super) nonce: [u8; 8],
}

impl Conversation {
    /// The request with this number.
    pub(super) fn request(&self, sequence: u16) -> [u8; REQUEST_LENGTH] {
        let mut packet = [0; REQUEST_LENGTH];
        packet[0] = self.family.request_type();
        packet[4..6].copy_from_slice(&self.identifier.unwrap_or_default().to_be_bytes());
        packet[6..8].copy_from_slice(&sequence.to_be_bytes());
        for (place, byte) in packet[HEADER_LENGTH..].iter_mut().zip(self.nonce.iter().cycle()) {
            *place = *byte;
        }
        // That of version 6 covers addresses which only the kernel knows: it fills it in (RFC 3542 §3.1).
        if self.family == Family::V4 {
            let sum = checksum(&packet);
            packet[2..4].copy_from_slice(&sum.to_be_bytes());
        }
        packet
    }

    /// The number of the request that this packet answers; none when it answers none of this conversation.
    ///
    /// `with_header`: an IPv4 header is in front, as raw sockets hand it out (raw(7)).
    pub(super) fn answered(&self, packet: &[u8], with_header: bool) -> Option<u16> {
        let message = if with_header { without_header(packet)? } else { packet };
        let (header, carried) = message.split_at_checked(HEADER_LENGTH)?;
        let word = |at: usize| u16::from_be_bytes([header[at], header[at + 1]]);
        let sequence = word(6);
        let is_reply = header[0] == self.family.reply_type() && header[1] == 0;
        let is_ours = self.identifier.is_none_or(|identifier| word(4) == identifier);
        let is_echo = carried == &self.request(sequence)[HEADER_LENGTH..];
        let is_whole = self.family == Family::V6 || checksum(message) == 0;
        (is_reply && is_ours && is_echo && is_whole).then_some(sequence)
    }
}

/// What is in an IPv4 packet (RFC 791 §3.1), when that is ICMP.
fn without_header(packet: &[u8]) -> Option<&[u8]> {
    let first = *packet.first()?;
    let length = usize::from(first & 0x0f) * 4;
    let is_icmp = first >> 4 == 4 && length >= 20 && *packet.get(9)? == ICMP;
    packet.get(length..).filter(|_| is_icmp)
}

/// The Internet checksum (RFC 1071). Over a packet with its checksum in place it is 0.
fn checksum(bytes: &[u8]) -> u16 {
    let mut sum: u32 = 0;
    for pair in bytes.chunks(2) {
        let word = u16::from_be_bytes([pair[0], pair.get(1).copied().unwrap_or_default()]);
        sum += u32::from(word);
        sum = (sum & 0xffff) + (sum >> 16);
    }
    let [_, _, high, low] = sum.to_be_bytes();
    !u16::from_be_bytes([high, low])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn conversation(family: Family) -> Conversation {
        Conversation { family, identifier: Some(0x1234), nonce: *b"osapi-01" }
    }

    /// What a host makes of a request.
    fn reply(family: Family, request: &[u8]) -> Vec<u8> {
        let mut reply = request.to_vec();
        reply[0] = family.reply_type();
        reply[2..4].fill(0);
        if family == Family::V4 {
            let sum = checksum(&reply);
            reply[2..4].copy_from_slice(&sum.to_be_bytes());
        }
        reply
    }

    fn with_header(message: &[u8], options: usize) -> Vec<u8> {
        let mut packet = vec![0; 20 + 4 * options];
        packet[0] = 0x45 + u8::try_from(options).expect("few");
        packet[9] = ICMP;
        packet.extend_from_slice(message);
        packet
    }

    #[test]
    fn the_checksum_is_that_of_rfc_1071() {
        // The example of its §3.
        assert_eq!(checksum(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]), !0xddf2);
        assert_eq!((checksum(&[]), checksum(&[0xff])), (0xffff, 0x00ff));
        assert_eq!(checksum(&conversation(Family::V4).request(7)), 0);
    }

    #[test]
    fn a_request_is_what_the_rfcs_say() {
        let (four, six) = (conversation(Family::V4).request(0x0102), conversation(Family::V6).request(0x0102));
        assert_eq!((four[0], four[1], &four[4..8]), (8, 0, &[0x12, 0x34, 0x01, 0x02][..]));
        assert_eq!((six[0], six[1], &six[4..8], &six[2..4]), (128, 0, &[0x12, 0x34, 0x01, 0x02][..], &[0, 0][..]));
    }

    #[test]
    fn a_request_is_not_its_own_answer() {
        for family in [Family::V4, Family::V6] {
            let conversation = conversation(family);
            assert_eq!(conversation.answered(&conversation.request(1), false), None, "{family:?}");
        }
    }

    proptest! {
        #[test]
        fn a_reply_is_recognised_with_and_without_a_header(sequence: u16, options in 0_usize..=10) {
            for family in [Family::V4, Family::V6] {
                let conversation = conversation(family);
                let reply = reply(family, &conversation.request(sequence));
                prop_assert_eq!(conversation.answered(&reply, false), Some(sequence));
                prop_assert_eq!(conversation.answered(&with_header(&reply, options), true), Some(sequence));
            }
        }

        #[test]
        fn a_reply_that_is_not_whole_is_none(sequence: u16, at in 0..REQUEST_LENGTH, other: u8, length in 0..REQUEST_LENGTH) {
            let conversation = conversation(Family::V4);
            let whole = reply(Family::V4, &conversation.request(sequence));
            prop_assert_eq!(conversation.answered(&whole[..length], false), None);
            let mut damaged = whole.clone();
            damaged[at] = other;
            prop_assert_eq!(conversation.answered(&damaged, false).is_some(), damaged == whole);
        }

        #[test]
        fn a_reply_to_somebody_else_is_none(sequence: u16, identifier: u16, nonce: [u8; 8]) {
            for family in [Family::V4, Family::V6] {
                let ours = conversation(family);
                let same_nonce = Conversation { identifier: Some(identifier), ..ours };
                let same_identifier = Conversation { nonce, ..ours };
                let to = |other: &Conversation| ours.answered(&reply(family, &other.request(sequence)), false).is_some();
                prop_assert_eq!(to(&same_nonce), identifier == 0x1234);
                prop_assert_eq!(to(&same_identifier), nonce == ours.nonce);
            }
        }

        #[test]
        fn nothing_makes_it_panic(bytes: Vec<u8>, with_header: bool) {
            for family in [Family::V4, Family::V6] {
                let _ = conversation(family).answered(&bytes, with_header);
            }
            let _ = checksum(&bytes);
        }
    }
}
