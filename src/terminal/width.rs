//! The room that a text has.

/// The columns of a line, and whether longer lines are possible.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Width {
    columns: usize,
    is_fixed: bool,
}

impl Width {
    /// A file or a pipe. Text is wrapped at 80 columns. Tables are as wide as their cells, because a program or a later reader
    /// needs whole names, and finds each column where it always is.
    pub const UNLIMITED: Width = Width { columns: 80, is_fixed: false };

    /// The columns at which text is wrapped.
    pub(super) fn columns(self) -> usize {
        self.columns
    }

    /// The columns that a table may take.
    pub(super) fn of_tables(self) -> usize {
        if self.is_fixed { self.columns } else { usize::MAX }
    }

    /// At least so many columns.
    pub(super) fn at_least(self, columns: usize) -> Self {
        Width { columns: self.columns.max(columns), ..self }
    }
}

/// The columns of a terminal.
impl From<usize> for Width {
    fn from(columns: usize) -> Self {
        Width { columns, is_fixed: true }
    }
}
