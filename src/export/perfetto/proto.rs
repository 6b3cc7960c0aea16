//! Protocol buffers: how messages are encoded.

/// A message in the making.
#[derive(Debug, Clone, Default)]
pub(super) struct Message(pub Vec<u8>);

impl Message {
    fn varint(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.0.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.0.push(number as u8);
    }

    /// Appends a number.
    pub fn number(&mut self, field: u32, number: u64) -> &mut Self {
        self.varint(u64::from(field) << 3);
        self.varint(number);
        self
    }

    /// Appends bytes.
    pub fn bytes(&mut self, field: u32, bytes: &[u8]) -> &mut Self {
        self.varint(u64::from(field) << 3 | 2);
        self.varint(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
        self
    }

    /// Appends a text.
    pub fn text(&mut self, field: u32, text: &str) -> &mut Self {
        self.bytes(field, text.as_bytes())
    }

    /// Appends a message.
    pub fn message(&mut self, field: u32, write: impl for<'m> FnOnce(&'m mut Message) -> &'m mut Message) -> &mut Self {
        let mut inner = Message::default();
        write(&mut inner);
        self.bytes(field, &inner.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_messages_have_the_bytes_of_the_specification() {
        // The examples of https://protobuf.dev/programming-guides/encoding/.
        assert_eq!(Message::default().number(1, 150).0, [0x08, 0x96, 0x01]);
        assert_eq!(Message::default().text(2, "testing").0, b"\x12\x07testing");
        assert_eq!(Message::default().message(3, |inner| inner.number(1, 150)).0, [0x1a, 3, 0x08, 0x96, 0x01]);
        assert_eq!(Message::default().number(100, u64::MAX).0.len(), 12);
    }
}
