//! Estimates the memory that the parsed form of a session takes, from the bytes of its file.
//!
//! A short text such as `"0":["a"]` takes twenty times its length when it is parsed: a name, a list, and a text in the list,
//! each with its own place in memory. So the parts count, and not only the bytes.

/// The memory in bytes for each quote: half of a text, with its place in a map or in a list that may be half empty.
const OF_QUOTE: u64 = 48;
/// For the begin of a list: the list, with room for its first values.
const OF_LIST: u64 = 128;
/// For a comma: a number in a list that may be half empty.
const OF_COMMA: u64 = 16;

/// The memory for the bytes read so far.
#[derive(Debug, Default)]
pub(super) struct SessionNeeds {
    /// The memory in bytes, with that of the file itself.
    pub bytes: u64,
    is_text: bool,
    is_escaped: bool,
}

impl SessionNeeds {
    /// Adds the next bytes of the file.
    pub fn add(&mut self, piece: &[u8]) {
        self.bytes += piece.len() as u64;
        for byte in piece {
            self.bytes += match (self.is_text, byte) {
                (true, _) if std::mem::take(&mut self.is_escaped) => 1,
                (true, b'\\') => {
                    self.is_escaped = true;
                    1
                }
                (_, b'"') => {
                    self.is_text = !self.is_text;
                    OF_QUOTE
                }
                (true, _) => 1,
                (false, b'[') => OF_LIST,
                (false, b',') => OF_COMMA,
                (false, _) => 0,
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_lists_and_numbers_count_and_marks_within_texts_do_not() {
        let needs = |pieces: &[&str]| {
            let mut needs = SessionNeeds::default();
            pieces.iter().for_each(|piece| needs.add(piece.as_bytes()));
            needs.bytes
        };
        assert_eq!(needs(&["{\"a\":[5,0]}"]), 11 + 2 * OF_QUOTE + 1 + OF_LIST + OF_COMMA);
        assert_eq!(needs(&["\"[,\\", "\"\\\\\",0"]), 10 + 2 * OF_QUOTE + 6 + OF_COMMA);
        assert_eq!(needs(&[]), 0);
    }
}
