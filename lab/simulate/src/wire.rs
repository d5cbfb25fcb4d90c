//! One blocking HTTP/1.1 connection that sends prepared bytes and reads just enough of the answer. The load generator
//! shares its cores with the server that it measures, so it must cost next to nothing. Everything else uses
//! `warmline_client`.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// An answer larger than this is refused: the load generator asks for nothing of that size.
const ANSWER_LIMIT: usize = 1 << 20;

/// A keep-alive connection.
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// An answer whose body is still in the connection's buffer.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer<'a> {
    /// Status.
    pub status: u16,
    /// The body. Chunks are joined.
    pub body: &'a [u8],
    /// Whether the connection can be used again.
    pub keep: bool,
}

struct Head {
    status: u16,
    /// The beginning of the body.
    body: usize,
    length: Length,
    keep: bool,
}

enum Length {
    Known(usize),
    Chunked,
    UntilClosed,
}

fn malformed(what: &'static str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, what)
}

/// The end of the head: the position after the empty line.
fn head_end(bytes: &[u8]) -> Option<usize> {
    bytes.windows(4).position(|w| w == b"\r\n\r\n").map(|at| at + 4)
}

fn parse_head(bytes: &[u8], end: usize) -> io::Result<Head> {
    let text = std::str::from_utf8(bytes.get(..end).unwrap_or_default()).map_err(|_| malformed("head is not text"))?;
    let mut lines = text.split("\r\n");
    let status = lines
        .next()
        .and_then(|line| line.strip_prefix("HTTP/1."))
        .and_then(|line| line.get(2..5))
        .and_then(|digits| digits.parse().ok())
        .ok_or_else(|| malformed("no status line"))?;
    let (mut length, mut keep) = (None, true);
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        let value = value.trim();
        if name.eq_ignore_ascii_case("content-length") {
            length = Some(Length::Known(value.parse().map_err(|_| malformed("bad content-length"))?));
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            length = Some(Length::Chunked);
        } else if name.eq_ignore_ascii_case("connection") && value.eq_ignore_ascii_case("close") {
            keep = false;
        }
    }
    let length = match length {
        _ if status == 204 || status == 304 => Length::Known(0),
        Some(length) => length,
        None => Length::UntilClosed,
    };
    keep &= !matches!(length, Length::UntilClosed);
    Ok(Head { status, body: end, length, keep })
}

/// Joins the chunks from `start` on in place. `None` while the last chunk has not arrived; otherwise the joined length.
fn join_chunks(buffer: &mut [u8], start: usize) -> io::Result<Option<usize>> {
    let line_end = |from: usize, bytes: &[u8]| {
        bytes.get(from..).and_then(|rest| rest.windows(2).position(|w| w == b"\r\n")).map(|at| from + at)
    };
    // This first checks that all chunks are here, and then moves them: a half-joined buffer could not be continued.
    let (mut read, mut chunks) = (start, Vec::new());
    loop {
        let Some(end) = line_end(read, buffer) else { return Ok(None) };
        let size = std::str::from_utf8(buffer.get(read..end).unwrap_or_default())
            .ok()
            .and_then(|line| usize::from_str_radix(line.split(';').next().unwrap_or_default().trim(), 16).ok())
            .filter(|size| *size <= ANSWER_LIMIT)
            .ok_or_else(|| malformed("bad chunk size"))?;
        let data = end + 2;
        if buffer.len() < data + size + 2 {
            return Ok(None);
        }
        if size == 0 {
            break;
        }
        chunks.push(data..data + size);
        read = data + size + 2;
    }
    let mut write = start;
    for chunk in chunks {
        let size = chunk.len();
        buffer.copy_within(chunk, write);
        write += size;
    }
    Ok(Some(write - start))
}

impl Connection {
    /// Connects. `timeout` also bounds each later read and write.
    ///
    /// # Errors
    /// Nothing listens there, or the time ran out.
    pub fn open(address: SocketAddr, timeout: Duration) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&address, timeout)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(timeout))?;
        stream.set_write_timeout(Some(timeout))?;
        Ok(Self { stream, buffer: Vec::with_capacity(4096) })
    }

    /// Sends one whole request and reads its answer. After an error, or an answer that ends the connection, the connection
    /// cannot be used again.
    ///
    /// # Errors
    /// The connection broke, timed out, or the answer is not HTTP/1.1.
    pub fn exchange(&mut self, request: &[u8]) -> io::Result<Answer<'_>> {
        self.buffer.clear();
        self.stream.write_all(request)?;
        let mut head: Option<Head> = None;
        loop {
            let closed = self.fill()? == 0;
            if head.is_none()
                && let Some(end) = head_end(&self.buffer)
            {
                head = Some(parse_head(&self.buffer, end)?);
            }
            if let Some(Head { status, body, length, keep }) = &head {
                let (status, body, keep) = (*status, *body, *keep);
                let size = match length {
                    Length::Known(size) => (self.buffer.len() >= body + size).then_some(*size),
                    Length::Chunked => join_chunks(&mut self.buffer, body)?,
                    Length::UntilClosed => closed.then_some(self.buffer.len() - body),
                };
                if let Some(size) = size {
                    let body = self.buffer.get(body..body + size).unwrap_or_default();
                    return Ok(Answer { status, body, keep });
                }
            }
            if closed {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            if self.buffer.len() > ANSWER_LIMIT {
                return Err(malformed("the answer is too large"));
            }
        }
    }

    fn fill(&mut self) -> io::Result<usize> {
        let have = self.buffer.len();
        self.buffer.resize(have + 2048, 0);
        let got = self.stream.read(self.buffer.get_mut(have..).unwrap_or_default());
        self.buffer.truncate(have + got.as_ref().copied().unwrap_or(0));
        got
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    /// Serves the pieces, one write each, to one connection.
    fn served(pieces: Vec<&'static [u8]>) -> Connection {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            stream.read_exact(&mut [0; 1]).unwrap();
            for piece in pieces {
                stream.write_all(piece).unwrap();
                std::thread::sleep(Duration::from_millis(5));
            }
        });
        Connection::open(address, Duration::from_secs(2)).unwrap()
    }

    #[test]
    fn reads_a_body_of_known_length_in_pieces() {
        let mut c = served(vec![b"HTTP/1.1 200 OK\r\ncontent-le", b"ngth: 7\r\n\r\nsuc", b"cess"]);
        assert_eq!(c.exchange(b"x").unwrap(), Answer { status: 200, body: b"success", keep: true });
    }

    #[test]
    fn joins_chunks() {
        let mut c = served(vec![
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nsu",
            b"c\r\n4;x=1\r\nces",
            b"s\r\n0\r\n\r\n",
        ]);
        assert_eq!(c.exchange(b"x").unwrap().body, b"success");
    }

    #[test]
    fn a_body_without_length_ends_with_the_connection() {
        let mut c = served(vec![b"HTTP/1.1 503 Busy\r\nConnection: close\r\n\r\n", b"later"]);
        assert_eq!(c.exchange(b"x").unwrap(), Answer { status: 503, body: b"later", keep: false });
    }

    #[test]
    fn a_broken_answer_is_an_error() {
        assert!(served(vec![b"HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\nsuc"]).exchange(b"x").is_err());
        assert!(served(vec![b"hello\r\n\r\n"]).exchange(b"x").is_err());
        assert!(served(vec![]).exchange(b"x").is_err());
    }
}
