//! The footer of a Parquet file: its metadata, with tp-perf's notes.

use super::crc::{crc32, crc32_of_file};
use super::error::{Error, damaged, failed, too_much};
use super::facts::SCHEMA;
use super::files::open_file;
use super::notes::{CHECK_KEY, FileCheck, FileNotes, NOTES_KEY};
use super::rows::schema;
use crate::memory::{Held, MemoryOf};
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};
use parquet::schema::types::Type;
use serde::Deserialize;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

/// The longest footer in bytes that is read. The notes of an hour take up to 2 MiB.
const LONGEST_FOOTER: u64 = 4 << 20;
/// The memory that each byte of a footer takes at most, until it is read.
const OF_FOOTER_BYTE: u64 = 4;
/// The last bytes of a Parquet file: the length of its footer, and `PAR1`.
const TAIL: usize = 8;

/// A Parquet file of a history, open.
#[derive(Debug)]
pub(super) struct OpenParquet {
    pub(super) file: File,
    pub(super) metadata: ParquetMetaData,
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
        let metadata = guarded(path, || ParquetMetaDataReader::new().parse_and_finish(&file))?;
        let (notes, check) = notes_of(&metadata, path)?;
        let (expected, has) = (schema(), metadata.file_metadata().schema());
        if !is_same(&expected, has) {
            return Err(damaged(path, "it has other columns than a history"));
        }
        Ok(OpenParquet { file, metadata, notes, check })
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

fn notes_of(metadata: &ParquetMetaData, path: &Path) -> Result<(FileNotes, FileCheck), Error> {
    let values = || metadata.file_metadata().key_value_metadata().into_iter().flatten();
    let value = |key: &str| values().find(|value| value.key == key).and_then(|value| value.value.as_deref());
    let json = value(NOTES_KEY).ok_or_else(|| Error::OtherParquet(path.to_owned()))?;
    let wrong = |error| damaged(path, format!("its metadata `{NOTES_KEY}` is wrong: {error}"));
    let NotesVersion { schema } = serde_json::from_str(json).map_err(wrong)?;
    if schema > SCHEMA {
        return Err(Error::Newer { path: path.to_owned(), schema, known: SCHEMA });
    }
    let check = value(CHECK_KEY).and_then(|check| serde_json::from_str::<FileCheck>(check).ok());
    let check = check.filter(|check| check.notes_crc32 == crc32(&[json.as_bytes()]));
    let check = check.ok_or_else(|| damaged(path, "the checksum of its metadata is wrong"))?;
    Ok((serde_json::from_str(json).map_err(wrong)?, check))
}

/// Whether the columns have the same names and types. Other programs may describe the types in more words.
fn is_same(expected: &Type, has: &Type) -> bool {
    let (expected, has) = (expected.get_fields(), has.get_fields());
    let same = |(one, other): (&std::sync::Arc<Type>, &std::sync::Arc<Type>)| {
        one.name() == other.name()
            && other.is_primitive()
            && one.get_physical_type() == other.get_physical_type()
            && one.get_basic_info().repetition() == other.get_basic_info().repetition()
    };
    expected.len() == has.len() && expected.iter().zip(has).all(same)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_of_the_crate_is_an_error_of_the_file() {
        let error = guarded(Path::new("x.parquet"), || -> parquet::errors::Result<()> { panic!("a shift overflows") });
        assert_eq!(error.unwrap_err().to_string(), "`x.parquet` is damaged: the crate `parquet` gave up on it");
    }
}
