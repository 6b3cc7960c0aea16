//! Keys, and what they ask for.

/// A key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// A character.
    Char(char),
    /// Enter.
    Enter,
    /// Escape.
    Escape,
    /// Tab.
    Tab,
    /// Shift and Tab.
    BackTab,
    /// Backspace.
    Backspace,
    /// ↑.
    Up,
    /// ↓.
    Down,
    /// ←.
    Left,
    /// →.
    Right,
    /// Page up.
    PageUp,
    /// Page down.
    PageDown,
    /// Home.
    Home,
    /// End.
    End,
    /// Ctrl and C.
    Interrupt,
    /// Ctrl and Z.
    Suspend,
}

/// What a key asks for, in addition to a change of the view.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyRequest {
    /// Nothing.
    None,
    /// To end.
    Quit,
    /// To stop for a while, as a job of the shell.
    Suspend,
    /// To write the windows into a file.
    Write,
}
