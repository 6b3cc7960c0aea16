//! The footer of a Parquet file: its metadata, with tp-perf's notes.

use super::crc::{crc32, crc32_of_file};
use super::error::{Error, damaged, failed, too_much};
use super::facts::SCHEMA;
use super::files::open_file;
use super::notes::{CHECK_KEY, FileCheck, FileNotes, NOTES_KEY};
use super::rows::schema;
use super::thrift::{Shape, Thrift, kind};
use crate::memory::{Held, MemoryOf};
use parquet::file::metadata::ParquetMetaData;
use parquet::file::reader::FileReader as _;
use parquet::file::serialized_reader::{ReadOptionsBuilder, SerializedFileReader};
use parquet::schema::types::{SchemaDescriptor, TypePtr};
use serde::Deserialize;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

/// The longest footer in bytes that is read. The notes of an hour take up to 2 MiB.
const LONGEST_FOOTER: u64 = 4 << 20;
/// The memory that each byte of a footer takes at most, until it is read.
const OF_FOOTER_BYTE: u64 = 4;
/// The last bytes of a Parquet file: the length of its footer, and `PAR1`.
const TAIL: usize = 8;

/// A Parquet file of a history, open.
pub(super) struct OpenParquet {
    pub(super) file: File,
    pub(super) reader: SerializedFileReader<File>,
    pub(super) notes: FileNotes,
    check: FileCheck,
}

/// All that is read of notes that may have another form.
#[derive(Deserialize)]
struct NotesVersion {
    schema: u32,
}

impl OpenParquet {
    /// Opens a file, and reads its footer.
    pub(super) fn open(path: &Path) -> Result<Self, Error> {
        let file = open_file(path).map_err(failed("open", path))?;
        let length = file.metadata().map_err(failed("read the length of", path))?.len();
        let footer = footer_length(&file, length).map_err(failed("read", path))?;
        let footer = footer.ok_or_else(|| damaged(path, "it does not end as a Parquet file does"))?;
        if footer > LONGEST_FOOTER {
            return Err(damaged(
                path,
                format!("its footer has {footer} bytes, and those of tp-perf have up to {LONGEST_FOOTER}"),
            ));
        }
        let _held = Held::take(MemoryOf::Header, footer * OF_FOOTER_BYTE).map_err(too_much(path))?;
        let mut bytes = vec![0; footer as usize];
        file.read_exact_at(&mut bytes, length - TAIL as u64 - footer).map_err(failed("read", path))?;
        let footer = Footer::of(&bytes).ok_or_else(|| damaged(path, "its footer is wrong"))?;
        let (notes, check) = footer.notes(path)?;
        if !footer.has_columns_of_a_history() {
            return Err(damaged(path, "it has other columns than a history"));
        }
        // The crate would reserve memory for as many columns as a schema promises, so it does not get that of the file.
        let schema = Arc::new(SchemaDescriptor::new(schema()));
        let options = ReadOptionsBuilder::new().with_parquet_schema(schema).build();
        let copy = file.try_clone().map_err(failed("open", path))?;
        let reader = guarded(path, || SerializedFileReader::new_with_options(copy, options))?;
        Ok(OpenParquet { file, reader, notes, check })
    }

    /// The rows and columns of the file.
    pub(super) fn metadata(&self) -> &ParquetMetaData {
        self.reader.metadata()
    }

    /// Checks the bytes before the footer.
    pub(super) fn check(&self, path: &Path) -> Result<(), Error> {
        let length = self.file.metadata().map_err(failed("read the length of", path))?.len();
        if self.check.bytes > length {
            return Err(damaged(path, "it is shorter than it was"));
        }
        let crc32 = crc32_of_file(&self.file, self.check.bytes).map_err(failed("read", path))?;
        if crc32 == self.check.crc32 { Ok(()) } else { Err(damaged(path, "its checksum is wrong")) }
    }
}

/// Does work of the crate `parquet`. A panic in it becomes an error: no bytes of a file may end the program.
pub(super) fn guarded<T>(path: &Path, work: impl FnOnce() -> parquet::errors::Result<T>) -> Result<T, Error> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(result) => result.map_err(|error| damaged(path, error)),
        Err(_) => Err(damaged(path, "the crate `parquet` gave up on it")),
    }
}

/// The length of the footer. `None` if this is no Parquet file.
fn footer_length(file: &File, length: u64) -> std::io::Result<Option<u64>> {
    let Some(end) = length.checked_sub(TAIL as u64) else { return Ok(None) };
    let mut tail = [0; TAIL];
    file.read_exact_at(&mut tail, end)?;
    let [a, b, c, d, magic @ ..] = tail;
    let footer = u64::from(u32::from_le_bytes([a, b, c, d]));
    Ok((magic == *b"PAR1" && footer <= end).then_some(footer))
}

/// The most elements of a schema, notes, and row groups. A history has 8, 2, and one for up to 256 windows.
const MOST_ELEMENTS: u64 = 64;
const MOST_VALUES: u64 = 64;
const MOST_ROW_GROUPS: u64 = 4_096;

/// The row groups, as the same page describes them: the fields that the crate reads.
const ROW_GROUPS: Shape = Shape::List(
    MOST_ROW_GROUPS,
    &Shape::Struct(&[
        (1, Shape::List(MOST_ELEMENTS, &Shape::Struct(COLUMN_CHUNK))),
        (2, Shape::Of(kind::I64)),
        (3, Shape::Of(kind::I64)),
        (
            4,
            Shape::List(
                MOST_ELEMENTS,
                &Shape::Struct(&[(1, Shape::Of(kind::I32)), (2, Shape::Bool), (3, Shape::Bool)]),
            ),
        ),
        (5, Shape::Of(kind::I64)),
        (6, Shape::Of(kind::I64)),
        (7, Shape::Of(kind::I16)),
    ]),
);

const COLUMN_CHUNK: &[(i64, Shape)] = &[
    (1, Shape::Of(kind::BINARY)),
    (2, Shape::Of(kind::I64)),
    (3, Shape::Struct(COLUMN)),
    (4, Shape::Of(kind::I64)),
    (5, Shape::Of(kind::I32)),
    (6, Shape::Of(kind::I64)),
    (7, Shape::Of(kind::I32)),
    (8, Shape::Of(kind::STRUCT)),
    (9, Shape::Of(kind::BINARY)),
];

const COLUMN: &[(i64, Shape)] = &[
    (1, Shape::Of(kind::I32)),
    (2, Shape::List(MOST_ELEMENTS, &Shape::Of(kind::I32))),
    (3, Shape::List(MOST_ELEMENTS, &Shape::Of(kind::BINARY))),
    (4, Shape::Of(kind::I32)),
    (5, Shape::Of(kind::I64)),
    (6, Shape::Of(kind::I64)),
    (7, Shape::Of(kind::I64)),
    (8, Shape::List(MOST_VALUES, &Shape::Struct(&[(1, Shape::Of(kind::BINARY)), (2, Shape::Of(kind::BINARY))]))),
    (9, Shape::Of(kind::I64)),
    (10, Shape::Of(kind::I64)),
    (11, Shape::Of(kind::I64)),
    (12, Shape::Struct(STATISTICS)),
    (13, Shape::List(MOST_ELEMENTS, &Shape::Struct(ENCODING_STATISTICS))),
    (14, Shape::Of(kind::I64)),
    (15, Shape::Of(kind::I32)),
    (16, Shape::Struct(SIZE_STATISTICS)),
];

const STATISTICS: &[(i64, Shape)] = &[
    (1, Shape::Of(kind::BINARY)),
    (2, Shape::Of(kind::BINARY)),
    (3, Shape::Of(kind::I64)),
    (4, Shape::Of(kind::I64)),
    (5, Shape::Of(kind::BINARY)),
    (6, Shape::Of(kind::BINARY)),
    (7, Shape::Bool),
    (8, Shape::Bool),
];

const ENCODING_STATISTICS: &[(i64, Shape)] =
    &[(1, Shape::Of(kind::I32)), (2, Shape::Of(kind::I32)), (3, Shape::Of(kind::I32))];

const SIZE_STATISTICS: &[(i64, Shape)] = &[
    (1, Shape::Of(kind::I64)),
    (2, Shape::List(MOST_ELEMENTS, &Shape::Of(kind::I64))),
    (3, Shape::List(MOST_ELEMENTS, &Shape::Of(kind::I64))),
];

/// The part of a footer that tp-perf reads itself: the structure `FileMetaData` of
/// <https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift>.
#[derive(Debug, Default)]
struct Footer<'a> {
    /// The elements of the schema. The first one is its root.
    schema: Vec<SchemaElement<'a>>,
    /// The notes of all programs, by their keys.
    values: Vec<(&'a [u8], &'a [u8])>,
}

/// A column, or the root of the schema.
#[derive(Debug, Default)]
struct SchemaElement<'a> {
    physical_type: Option<i64>,
    repetition: Option<i64>,
    name: &'a [u8],
    children: Option<i64>,
}

impl<'a> Footer<'a> {
    fn of(bytes: &'a [u8]) -> Option<Self> {
        let mut thrift = Thrift { rest: bytes };
        let (mut footer, mut field) = (Footer::default(), 0);
        while let Some(kind) = thrift.field(&mut field)? {
            match (field, kind) {
                (2, kind::LIST) => footer.schema = structures(&mut thrift, MOST_ELEMENTS, SchemaElement::of)?,
                (4, kind::LIST) => thrift.check(kind, &ROW_GROUPS)?,
                (5, kind::LIST) => footer.values = structures(&mut thrift, MOST_VALUES, key_and_value)?,
                (1, kind::I32) | (3, kind::I64) | (6, kind::BINARY) | (7, kind::LIST) | (8.., _) => {
                    thrift.skip(kind, 0)?
                }
                _ => return None,
            }
        }
        Some(footer)
    }

    fn value(&self, wanted: &str) -> Option<&'a str> {
        let (_, value) = self.values.iter().find(|(key, _)| *key == wanted.as_bytes())?;
        std::str::from_utf8(value).ok()
    }

    fn notes(&self, path: &Path) -> Result<(FileNotes, FileCheck), Error> {
        let json = self.value(NOTES_KEY).ok_or_else(|| Error::OtherParquet(path.to_owned()))?;
        let wrong = |error| damaged(path, format!("its metadata `{NOTES_KEY}` is wrong: {error}"));
        let NotesVersion { schema } = serde_json::from_str(json).map_err(wrong)?;
        if schema > SCHEMA {
            return Err(Error::Newer { path: path.to_owned(), schema, known: SCHEMA });
        }
        let check = self.value(CHECK_KEY).and_then(|check| serde_json::from_str::<FileCheck>(check).ok());
        let check = check.filter(|check| check.notes_crc32 == crc32(&[json.as_bytes()]));
        let check = check.ok_or_else(|| damaged(path, "the checksum of its metadata is wrong"))?;
        Ok((serde_json::from_str(json).map_err(wrong)?, check))
    }

    /// Whether the columns have the names and types of a history's. Other programs may describe the types in more words.
    fn has_columns_of_a_history(&self) -> bool {
        let schema = schema();
        let expected = schema.get_fields();
        let is_same = |(one, other): (&TypePtr, &SchemaElement<'_>)| {
            one.name().as_bytes() == other.name
                && other.physical_type == Some(one.get_physical_type() as i64)
                && other.repetition == Some(one.get_basic_info().repetition() as i64)
                && other.children.is_none_or(|number| number == 0)
        };
        self.schema.split_first().is_some_and(|(root, columns)| {
            root.children == Some(expected.len() as i64)
                && columns.len() == expected.len()
                && expected.iter().zip(columns).all(is_same)
        })
    }
}

impl<'a> SchemaElement<'a> {
    fn of(thrift: &mut Thrift<'a>) -> Option<Self> {
        let (mut element, mut field) = (SchemaElement::default(), 0);
        while let Some(kind) = thrift.field(&mut field)? {
            match (field, kind) {
                (1, kind::I32) => element.physical_type = Some(thrift.signed()?),
                (3, kind::I32) => element.repetition = Some(thrift.signed()?),
                (4, kind::BINARY) => element.name = thrift.bytes()?,
                (5, kind::I32) => element.children = Some(thrift.signed()?),
                (1 | 3 | 4 | 5, _) => return None,
                _ => thrift.skip(kind, 1)?,
            }
        }
        Some(element)
    }
}

/// Reads a list of at most so many structures.
fn structures<'a, T>(
    thrift: &mut Thrift<'a>,
    most: u64,
    mut read: impl FnMut(&mut Thrift<'a>) -> Option<T>,
) -> Option<Vec<T>> {
    let (number, kind) = thrift.list()?;
    if kind == kind::STRUCT && number <= most { (0..number).map(|_| read(thrift)).collect() } else { None }
}

fn key_and_value<'a>(thrift: &mut Thrift<'a>) -> Option<(&'a [u8], &'a [u8])> {
    let (mut key, mut value, mut field): (&[u8], &[u8], _) = (&[], &[], 0);
    while let Some(kind) = thrift.field(&mut field)? {
        match (field, kind) {
            (1, kind::BINARY) => key = thrift.bytes()?,
            (2, kind::BINARY) => value = thrift.bytes()?,
            _ => return None,
        }
    }
    Some((key, value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::testing::{BEGIN, Host, S, TestClock};

    /// The file of an hour, and its bytes.
    fn hour(root: &Path) -> (std::path::PathBuf, Vec<u8>) {
        let clock = TestClock::at(BEGIN);
        let mut host = Host::start(root, &clock, 3);
        host.window(S, &[(1, 5), (3, 7)]);
        host.writer.finish();
        drop(host);
        clock.pass(2 * 3_600 * S);
        // The next monitor closes the hour.
        Host::start(root, &clock, 3).window(S, &[]);
        let path = root.join("windows/host=here/date=2026-11-30/14.parquet");
        let bytes = std::fs::read(&path).unwrap();
        (path, bytes)
    }

    /// Puts other bytes in the place of some bytes of the footer, and makes its length right.
    fn with(bytes: &[u8], old: &[u8], new: &[u8]) -> Vec<u8> {
        let end = bytes.len() - TAIL;
        let length = u32::from_le_bytes(bytes[end..end + 4].try_into().unwrap()) as usize;
        let at = end - length + bytes[end - length..end].windows(old.len()).position(|part| part == old).unwrap();
        let length = (length + new.len() - old.len()) as u32;
        [&bytes[..at], new, &bytes[at + old.len()..end], &length.to_le_bytes(), b"PAR1"].concat()
    }

    #[test]
    fn a_panic_of_the_crate_is_an_error_of_the_file() {
        let error = guarded(Path::new("x.parquet"), || -> parquet::errors::Result<()> { panic!("a shift overflows") });
        assert_eq!(error.unwrap_err().to_string(), "`x.parquet` is damaged: the crate `parquet` gave up on it");
    }

    #[test]
    fn a_schema_that_promises_too_much_or_other_columns_is_refused() {
        let root = tempfile::tempdir().unwrap();
        let (path, bytes) = hour(root.path());
        OpenParquet::open(&path).unwrap().check(&path).unwrap();
        // The root has a name, and 7 columns: numbers have their sign in the lowest bit.
        let root = b"\x48\x07history\x15\x0E\x00";
        let tracepoint = b"\x18\x0Atracepoint";
        let changes: [(&[u8], &[u8], &str); 7] = [
            // 2^31 - 1 columns.
            (root, b"\x48\x07history\x15\xFE\xFF\xFF\xFF\x0F\x00", "it has other columns than a history"),
            (root, b"\x48\x07history\x15\x0D\x00", "it has other columns than a history"),
            (root, b"\x48\x07history\x00", "it has other columns than a history"),
            (tracepoint, b"\x18\x0Atracepaint", "it has other columns than a history"),
            // A column with a column in it.
            (tracepoint, b"\x18\x0Atracepoint\x15\x02", "it has other columns than a history"),
            // The number of columns as a number of 64 bits, which the crate would take.
            (root, b"\x48\x07history\x16\x0E\x00", "its footer is wrong"),
            // A text that is longer than the footer.
            (root, b"\x48\xFF\xFF\x7Fhistory\x15\x0E\x00", "its footer is wrong"),
        ];
        for (old, new, why) in changes {
            std::fs::write(&path, with(&bytes, old, new)).unwrap();
            let error = OpenParquet::open(&path).map(drop).unwrap_err().to_string();
            assert!(error.ends_with(why), "{error}");
        }
    }
}
