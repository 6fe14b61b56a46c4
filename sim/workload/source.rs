//! Bytes of a trace: files, standard input already read, and texts in memory; gzip and zstd are opened by what the bytes say.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::path::PathBuf;
use std::sync::Arc;

use crate::error::{Error, Result};

/// Where the bytes of a trace come from. They are read several times, so a pipe must be read into memory first.
#[derive(Clone, Debug)]
pub struct Input {
    name: Arc<str>,
    bytes: Bytes,
}

#[derive(Clone, Debug)]
enum Bytes {
    File(PathBuf),
    Memory(Arc<[u8]>),
}

impl Input {
    /// A file, which is opened at each reading.
    pub fn file(path: impl Into<PathBuf>) -> Input {
        let path = path.into();
        Input { name: path.display().to_string().into(), bytes: Bytes::File(path) }
    }

    /// Bytes in memory, with the name that messages use.
    pub fn memory(name: &str, bytes: impl Into<Arc<[u8]>>) -> Input {
        Input { name: name.into(), bytes: Bytes::Memory(bytes.into()) }
    }

    /// The name that messages use.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// The unpacked bytes from their beginning, without a byte order mark.
    pub(super) fn open(&self) -> Result<Box<dyn BufRead + Send>> {
        let failed = |error: io::Error| self.unreadable(&error);
        let raw: Box<dyn BufRead + Send> = match &self.bytes {
            Bytes::File(path) => {
                let file = File::open(path).map_err(failed)?;
                if file.metadata().map_err(failed)?.is_dir() {
                    return Err(Error::new(format!("{}: is a directory", self.name)).help("name one file of the trace"));
                }
                Box::new(BufReader::with_capacity(1 << 16, file))
            }
            Bytes::Memory(bytes) => Box::new(Cursor::new(Arc::clone(bytes))),
        };
        unpack(raw).and_then(without_mark).map_err(failed)
    }

    /// An error of the operating system or of a damaged archive.
    pub(super) fn unreadable(&self, error: &io::Error) -> Error {
        Error::new(format!("{}: {error}", self.name))
    }
}

fn unpack(mut raw: Box<dyn BufRead + Send>) -> io::Result<Box<dyn BufRead + Send>> {
    Ok(match raw.fill_buf()? {
        [0x1f, 0x8b, ..] => Box::new(BufReader::with_capacity(1 << 16, flate2::bufread::MultiGzDecoder::new(raw))),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => {
            let mut decoder = zstd::stream::read::Decoder::with_buffer(raw)?;
            decoder.window_log_max(27)?;
            Box::new(BufReader::with_capacity(1 << 16, decoder))
        }
        _ => raw,
    })
}

fn without_mark(mut reader: Box<dyn BufRead + Send>) -> io::Result<Box<dyn BufRead + Send>> {
    if reader.fill_buf()?.starts_with(b"\xef\xbb\xbf") {
        reader.consume(3);
    }
    Ok(reader)
}

/// The longest line of a table that is read; a longer one is a bad row.
pub(super) const MAX_LINE: usize = 1 << 20;

/// What [`read_line`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// A line, without its end.
    Whole,
    /// A line longer than the limit; its beginning is in the buffer, the rest was skipped.
    TooLong,
    /// The end of the input.
    End,
}

/// Reads one line into `line`, of which at most `max` bytes are kept.
pub(super) fn read_line(reader: &mut (dyn BufRead + Send), line: &mut Vec<u8>, max: usize) -> io::Result<Line> {
    line.clear();
    let (mut any, mut cut) = (false, false);
    loop {
        let chunk = match reader.fill_buf() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            result => result?,
        };
        if chunk.is_empty() {
            break;
        }
        any = true;
        let (part, used, ended) = match chunk.iter().position(|&b| b == b'\n') {
            Some(end) => (&chunk[..end], end + 1, true),
            None => (chunk, chunk.len(), false),
        };
        let room = max - line.len();
        cut |= part.len() > room;
        line.extend_from_slice(&part[..part.len().min(room)]);
        reader.consume(used);
        if ended {
            break;
        }
    }
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    Ok(match (any, cut) {
        (false, _) => Line::End,
        (true, true) => Line::TooLong,
        (true, false) => Line::Whole,
    })
}

/// The first bytes of the input, for recognising its format.
pub(super) fn head(input: &Input, max: u64) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    input.open()?.take(max).read_to_end(&mut bytes).map_err(|error| input.unreadable(&error))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn lines(input: &Input, max: usize) -> Vec<(Line, String)> {
        let (mut reader, mut line, mut all) = (input.open().expect("opens"), Vec::new(), Vec::new());
        loop {
            match read_line(&mut *reader, &mut line, max).expect("reads") {
                Line::End => return all,
                found => all.push((found, String::from_utf8_lossy(&line).into_owned())),
            }
        }
    }

    #[test]
    fn packed_and_plain_bytes_read_alike() {
        let text = "a,b\r\n1,2\n\nlast";
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(text.as_bytes()).expect("memory");
        let packed = [
            text.as_bytes().to_vec(),
            [b"\xef\xbb\xbf", text.as_bytes()].concat(),
            gzip.finish().expect("memory"),
            zstd::encode_all(text.as_bytes(), 1).expect("memory"),
        ];
        for bytes in packed {
            let read = lines(&Input::memory("x", bytes), 100);
            let texts: Vec<&str> = read.iter().map(|(_, text)| text.as_str()).collect();
            assert_eq!(texts, ["a,b", "1,2", "", "last"]);
        }
    }

    #[test]
    fn a_long_line_is_cut_and_the_next_one_is_whole() {
        let text = format!("{}\nshort\n", "x".repeat(100_000));
        let read = lines(&Input::memory("x", text.into_bytes()), 10);
        assert_eq!(read, [(Line::TooLong, "x".repeat(10)), (Line::Whole, "short".to_owned())]);
    }
}
