//! HTTP/2 (RFC 9113) as far as a test needs it: one request, and a server that answers each one as a
//! server of gRPC does.

use std::io::{self, Read, Write};

/// What a client says first.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;

const END_STREAM: u8 = 1;
/// The same bit means another thing in `SETTINGS`.
const ACKNOWLEDGED: u8 = 1;
const END_HEADERS: u8 = 4;

/// A frame.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Frame {
    /// Its type.
    kind: u8,
    flags: u8,
    stream: u32,
    content: Vec<u8>,
}

/// What a server answered.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    /// The headers as they came: compressed, so that it can only be asked whether a text is there.
    pub headers: Vec<u8>,
    /// The body.
    pub body: Vec<u8>,
    /// The trailers, like the headers.
    pub trailers: Vec<u8>,
}

/// Answers each request of a connection with `pong` and the trailer `grpc-status: 0`.
pub fn answer(mut stream: impl Read + Write) -> io::Result<()> {
    let mut preface = [0; PREFACE.len()];
    stream.read_exact(&mut preface)?;
    if preface != PREFACE {
        return Err(io::Error::other("it does not speak HTTP/2"));
    }
    Frame::new(SETTINGS, 0, 0, &[]).write(&mut stream)?;
    loop {
        let frame = Frame::read(&mut stream)?;
        match frame.kind {
            SETTINGS => frame.acknowledge(&mut stream)?,
            GOAWAY => return Ok(()),
            HEADERS | DATA if frame.flags & END_STREAM != 0 => {
                let headers = fields(&[(":status", "200"), ("content-type", "application/grpc")]);
                let trailers = fields(&[("grpc-status", "0")]);
                let id = frame.stream;
                Frame::new(HEADERS, END_HEADERS, id, &headers).write(&mut stream)?;
                Frame::new(DATA, 0, id, b"pong").write(&mut stream)?;
                let last = Frame::new(HEADERS, END_HEADERS | END_STREAM, id, &trailers);
                last.write(&mut stream)?;
            }
            _ => {}
        }
    }
}

/// Sends `ping` to a path of a host, and reads the answer.
pub fn ask(mut stream: impl Read + Write, host: &str, path: &str) -> io::Result<Answer> {
    stream.write_all(PREFACE)?;
    Frame::new(SETTINGS, 0, 0, &[]).write(&mut stream)?;
    let headers = fields(&[
        (":method", "POST"),
        (":scheme", "https"),
        (":authority", host),
        (":path", path),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
    ]);
    Frame::new(HEADERS, END_HEADERS, 1, &headers).write(&mut stream)?;
    Frame::new(DATA, END_STREAM, 1, b"ping").write(&mut stream)?;
    let mut answer = Answer::default();
    loop {
        let frame = Frame::read(&mut stream)?;
        match frame.kind {
            SETTINGS => frame.acknowledge(&mut stream)?,
            GOAWAY => return Err(io::Error::other("the server ends the connection")),
            HEADERS if answer.headers.is_empty() => answer.headers = frame.content,
            HEADERS => answer.trailers = frame.content,
            DATA => answer.body.extend(frame.content),
            _ => continue,
        }
        if matches!(frame.kind, HEADERS | DATA) && frame.flags & END_STREAM != 0 {
            return Ok(answer);
        }
    }
}

impl Answer {
    /// Whether a text stands in the trailers.
    pub fn has_trailer(&self, text: &str) -> bool {
        let mut windows = self.trailers.windows(text.len());
        windows.any(|it| it == text.as_bytes())
    }
}

impl Frame {
    fn new(kind: u8, flags: u8, stream: u32, content: &[u8]) -> Self {
        Self {
            kind,
            flags,
            stream,
            content: content.to_vec(),
        }
    }

    fn read(stream: &mut impl Read) -> io::Result<Self> {
        let mut head = [0; 9];
        stream.read_exact(&mut head)?;
        let [a, b, c, kind, flags, id @ ..] = head;
        let mut content = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
        stream.read_exact(&mut content)?;
        Ok(Self {
            kind,
            flags,
            stream: u32::from_be_bytes(id) & 0x7fff_ffff,
            content,
        })
    }

    fn write(&self, stream: &mut impl Write) -> io::Result<()> {
        let length = u16::try_from(self.content.len()).map_err(io::Error::other)?;
        let mut bytes = vec![0];
        bytes.extend(length.to_be_bytes());
        bytes.extend([self.kind, self.flags]);
        bytes.extend(self.stream.to_be_bytes());
        bytes.extend(&self.content);
        stream.write_all(&bytes)?;
        stream.flush()
    }

    /// Settings want an answer, and such an answer none.
    fn acknowledge(&self, stream: &mut impl Write) -> io::Result<()> {
        if self.flags & ACKNOWLEDGED != 0 {
            return Ok(());
        }
        Self::new(SETTINGS, ACKNOWLEDGED, 0, &[]).write(stream)
    }
}

/// Fields as RFC 7541, section 6.2.2 writes them: no index and no compression.
fn fields(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, value) in fields {
        bytes.push(0);
        for text in [name, value] {
            // Up to 126 bytes the length is one byte.
            let length = u8::try_from(text.len()).ok().filter(|it| *it < 127);
            bytes.push(length.expect("a field of a test is short"));
            bytes.extend(text.bytes());
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpListener, TcpStream};

    use super::*;

    #[test]
    fn client_and_server_understand_each_other() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        std::thread::spawn(move || {
            let (stream, _) = listener.accept().expect("there is a client");
            // It ends when the client goes.
            drop(answer(&stream));
        });
        let stream = TcpStream::connect(address).expect("it listens");
        let answer = ask(&stream, "app.example", "/").expect("it answers");
        assert_eq!(answer.body, b"pong");
        assert!(answer.has_trailer("grpc-status"), "{answer:?}");
    }
}
