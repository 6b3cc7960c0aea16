//! Tables as text: CSV, and JSON lines.

use super::columns::Column;
use super::rows::{CellValue, RowWriter, TableRow};
use crate::text::{JsonEscaping, push_csv_cell};
use crate::tracefs::Table;
use std::io::{self, Write};

/// The bytes after which the buffer is written.
const CHUNK: usize = 256 << 10;

/// Writes a row into a buffer.
type WriteRow = fn(&TableRow, &[Column], &Table, &mut Vec<u8>);

/// Writes each row as a line.
pub(super) struct TextRows<W> {
    columns: Vec<Column>,
    write_row: WriteRow,
    buffer: Vec<u8>,
    out: W,
}

impl<W: Write> TextRows<W> {
    /// CSV, whose first line has the names of the columns.
    pub fn csv(columns: Vec<Column>, out: W) -> Self {
        let names: Vec<&str> = columns.iter().map(|column| column.name()).collect();
        let buffer = (names.join(",") + "\n").into_bytes();
        TextRows { columns, write_row: push_csv, buffer, out }
    }

    /// An object on each line.
    pub fn json(columns: Vec<Column>, out: W) -> Self {
        TextRows { columns, write_row: push_json, buffer: Vec::new(), out }
    }
}

impl<W: Write> RowWriter for TextRows<W> {
    fn write(&mut self, rows: &mut Vec<TableRow>, table: &Table) -> io::Result<()> {
        for row in rows.drain(..) {
            (self.write_row)(&row, &self.columns, table, &mut self.buffer);
            if self.buffer.len() >= CHUNK {
                self.out.write_all(&self.buffer)?;
                self.buffer.clear();
            }
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> io::Result<()> {
        self.out.write_all(&self.buffer)?;
        self.out.flush()
    }
}

/// An unknown value is an empty cell.
fn push_csv(row: &TableRow, columns: &[Column], table: &Table, out: &mut Vec<u8>) {
    for (place, column) in columns.iter().enumerate() {
        if place > 0 {
            out.push(b',');
        }
        match row.value(*column, table) {
            CellValue::Null => {}
            CellValue::Text(text) => push_csv_cell(out, text),
            value => push_plain(value, out),
        }
    }
    out.push(b'\n');
}

fn push_json(row: &TableRow, columns: &[Column], table: &Table, out: &mut Vec<u8>) {
    for (place, column) in columns.iter().enumerate() {
        out.push(if place == 0 { b'{' } else { b',' });
        out.push(b'"');
        out.extend_from_slice(column.name().as_bytes());
        out.extend_from_slice(b"\":");
        match row.value(*column, table) {
            CellValue::Null => out.extend_from_slice(b"null"),
            CellValue::Text(text) => {
                serde_json::to_writer(JsonEscaping::of(&mut *out), text).expect("text becomes JSON in memory");
            }
            value => push_plain(value, out),
        }
    }
    out.extend_from_slice(b"}\n");
}

/// Appends a number or a flag, which CSV and JSON write in the same way.
fn push_plain(value: CellValue<'_>, out: &mut Vec<u8>) {
    match value {
        CellValue::Number(number) => out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes()),
        CellValue::Real(number) => write!(out, "{number}").expect("memory takes all bytes"),
        CellValue::Flag(flag) => out.extend_from_slice(if flag { b"true" } else { b"false" }),
        CellValue::Null | CellValue::Text(_) => {}
    }
}
