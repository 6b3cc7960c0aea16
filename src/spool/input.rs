//! Reads the bytes of a spool back.

use super::{Arena, place};
use crate::perf_data::input::Input;
use std::fs::File;
use std::io::{self, Read};
use std::ops::Range;

/// The maximum number of bytes in a piece.
const GIVEN: usize = 1 << 20;

/// All bytes of a spool from the start: first the bytes that were moved to the file, then those still in
/// memory.
pub struct SpoolInput {
    file: Option<File>,
    left_in_file: u64,
    arena: Arena,
    /// The number of the next byte in the arena, and the number behind the last one.
    next: u64,
    end: u64,
    piece: Vec<u8>,
}

impl SpoolInput {
    /// Reads the first `left_in_file` bytes of the file, and then the bytes `rest` of the arena.
    pub(super) fn new(file: Option<File>, left_in_file: u64, arena: Arena, rest: Range<u64>) -> Self {
        SpoolInput { file, left_in_file, arena, next: rest.start, end: rest.end, piece: Vec::new() }
    }
}

impl Input for SpoolInput {
    fn next_piece(&mut self) -> io::Result<Option<&[u8]>> {
        if let Some(file) = &mut self.file
            && self.left_in_file > 0
        {
            let wanted = GIVEN.min(self.left_in_file as usize);
            self.piece.resize(wanted, 0);
            file.read_exact(&mut self.piece)?;
            self.left_in_file -= wanted as u64;
            return Ok(Some(&self.piece));
        }
        if self.next == self.end {
            return Ok(None);
        }
        let place = place(self.arena.len(), self.next, self.end.min(self.next + GIVEN as u64));
        self.next += place.len() as u64;
        Ok(Some(&self.arena[place]))
    }
}
