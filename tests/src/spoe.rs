//! A small agent of HAProxy's stream processing (`doc/SPOE.txt` of HAProxy, section 3): it greets,
//! remembers what it is told, and answers as a test says.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

/// An agent on loopback; stops when it is dropped.
pub struct Agent {
    address: SocketAddr,
    shared: Arc<Shared>,
    listener: Option<JoinHandle<()>>,
}

struct Shared {
    answer: Box<dyn Fn(&Message) -> Answer + Send + Sync>,
    seen: Mutex<Vec<Message>>,
    open: Mutex<Vec<TcpStream>>,
    stops: AtomicBool,
}

/// A message of HAProxy.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Message {
    /// Its name.
    pub name: String,
    /// Its arguments in order, each with its name, which may be empty.
    pub arguments: Vec<(String, Value)>,
}

/// A value with its type.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Value {
    /// What could not be fetched.
    Null,
    /// True or false.
    Bool(bool),
    /// A number of any width.
    Number(i64),
    /// An address.
    Address(Vec<u8>),
    /// Text.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
}

/// What the agent says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Answer {
    /// Variables of the transaction to set.
    Set(Vec<(&'static str, Value)>),
    /// Nothing, ever.
    Silence,
    /// Bytes that are no answer.
    Nonsense,
}

/// Kinds of frames.
mod kind {
    pub(super) const HAPROXY_HELLO: u8 = 1;
    pub(super) const HAPROXY_DISCONNECT: u8 = 2;
    pub(super) const NOTIFY: u8 = 3;
    pub(super) const AGENT_HELLO: u8 = 101;
    pub(super) const AGENT_DISCONNECT: u8 = 102;
    pub(super) const ACK: u8 = 103;
}

/// The largest frame that HAProxy sends with buffers of 16 KiB is smaller.
const MAX_FRAME: usize = 1 << 20;

/// The flag of the last fragment.
const FIN: [u8; 4] = [0, 0, 0, 1];

/// A frame without its length.
struct Frame {
    kind: u8,
    stream: u64,
    id: u64,
    payload: Vec<u8>,
}

/// Reads values one after the other; `None` is a frame that ends too early.
struct Reader<'a>(&'a [u8]);

impl Agent {
    /// Starts one that answers like this.
    pub fn start(answer: impl Fn(&Message) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, crate::haproxy::free_port()));
        let listener = listener.expect("the port is free");
        let address = listener.local_addr().expect("it is bound");
        let shared = Arc::new(Shared {
            answer: Box::new(answer),
            seen: Mutex::default(),
            open: Mutex::default(),
            stops: AtomicBool::new(false),
        });
        let theirs = shared.clone();
        let listener = std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if theirs.stops.load(Ordering::SeqCst) {
                    return;
                }
                let shared = theirs.clone();
                if let Ok(copy) = stream.try_clone() {
                    lock(&shared.open).push(copy);
                }
                // A connection that breaks is HAProxy's to mend.
                std::thread::spawn(move || drop(shared.serve(stream)));
            }
        });
        Self {
            address,
            shared,
            listener: Some(listener),
        }
    }

    /// Where it listens, as `modsecurity-endpoints` writes it.
    pub fn endpoint(&self) -> String {
        self.address.to_string()
    }

    /// The messages that reached it so far.
    pub fn seen(&self) -> Vec<Message> {
        lock(&self.shared.seen).clone()
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.shared.stops.store(true, Ordering::SeqCst);
        for stream in lock(&self.shared.open).drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
        // The listener looks at the flag when somebody comes.
        let _ = TcpStream::connect(self.address);
        if let Some(listener) = self.listener.take() {
            let _ = listener.join();
        }
    }
}

impl Shared {
    fn serve(&self, mut stream: TcpStream) -> io::Result<()> {
        loop {
            let frame = Frame::read(&mut stream)?;
            match frame.kind {
                kind::HAPROXY_HELLO => {
                    let hello = Reader(&frame.payload).pairs();
                    let of = |name: &str| hello.iter().find(|it| it.0 == name).map(|it| &it.1);
                    let size = match of("max-frame-size") {
                        Some(Value::Number(size)) => *size,
                        _ => 16380,
                    };
                    let mut payload = Vec::new();
                    for (name, value) in [
                        ("version", Value::Text("2.0".into())),
                        ("max-frame-size", Value::Number(size)),
                        ("capabilities", Value::Text("pipelining".into())),
                    ] {
                        put_text(&mut payload, name.as_bytes());
                        value.write(&mut payload);
                    }
                    frame.reply(kind::AGENT_HELLO, payload).write(&mut stream)?;
                    if of("healthcheck") == Some(&Value::Bool(true)) {
                        return Ok(());
                    }
                }
                kind::NOTIFY => match self.answer(&frame) {
                    Answer::Silence => {}
                    Answer::Nonsense => stream.write_all(b"\0\0\0\x05nonsense")?,
                    Answer::Set(variables) => {
                        let mut payload = Vec::new();
                        for (name, value) in variables {
                            // Set a variable; three arguments; of the transaction.
                            payload.extend([1, 3, 2]);
                            put_text(&mut payload, name.as_bytes());
                            value.write(&mut payload);
                        }
                        frame.reply(kind::ACK, payload).write(&mut stream)?;
                    }
                },
                kind::HAPROXY_DISCONNECT => {
                    let mut payload = Vec::new();
                    for (name, value) in [
                        ("status-code", Value::Number(0)),
                        ("message", Value::Text("bye".into())),
                    ] {
                        put_text(&mut payload, name.as_bytes());
                        value.write(&mut payload);
                    }
                    let bye = frame.reply(kind::AGENT_DISCONNECT, payload);
                    return bye.write(&mut stream);
                }
                _ => {}
            }
        }
    }

    /// The answer to all messages of a frame: what is said of the last one counts.
    fn answer(&self, frame: &Frame) -> Answer {
        let mut answer = Answer::Set(Vec::new());
        let mut reader = Reader(&frame.payload);
        while let Some(message) = reader.message() {
            lock(&self.seen).push(message.clone());
            answer = (self.answer)(&message);
        }
        answer
    }
}

impl Frame {
    fn read(stream: &mut TcpStream) -> io::Result<Self> {
        let mut length = [0; 4];
        stream.read_exact(&mut length)?;
        let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
        let bad = || io::Error::from(io::ErrorKind::InvalidData);
        if length > MAX_FRAME {
            return Err(bad());
        }
        let mut bytes = vec![0; length];
        stream.read_exact(&mut bytes)?;
        let (&kind, rest) = bytes.split_first().ok_or_else(bad)?;
        let mut reader = Reader(rest.get(4..).ok_or_else(bad)?);
        Ok(Self {
            kind,
            stream: reader.number().ok_or_else(bad)?,
            id: reader.number().ok_or_else(bad)?,
            payload: reader.0.to_vec(),
        })
    }

    /// A frame about the same thing.
    fn reply(&self, kind: u8, payload: Vec<u8>) -> Self {
        Self {
            kind,
            stream: self.stream,
            id: self.id,
            payload,
        }
    }

    fn write(&self, stream: &mut TcpStream) -> io::Result<()> {
        let mut bytes = vec![self.kind];
        bytes.extend(FIN);
        put_number(&mut bytes, self.stream);
        put_number(&mut bytes, self.id);
        bytes.extend(&self.payload);
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        let mut all = length.to_be_bytes().to_vec();
        all.extend(bytes);
        stream.write_all(&all)
    }
}

impl Reader<'_> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn bytes(&mut self, length: u64) -> Option<Vec<u8>> {
        let (taken, rest) = self.0.split_at_checked(usize::try_from(length).ok()?)?;
        self.0 = rest;
        Some(taken.to_vec())
    }

    /// A number of variable length: four bits of the first byte, then seven of each further one.
    fn number(&mut self) -> Option<u64> {
        let first = self.byte()?;
        let mut number = u64::from(first);
        if first < 240 {
            return Some(number);
        }
        let mut shift = 4;
        loop {
            let byte = self.byte()?;
            number = number.checked_add(u64::from(byte).checked_shl(shift)?)?;
            shift += 7;
            if byte < 128 {
                return Some(number);
            }
        }
    }

    fn text(&mut self) -> Option<String> {
        let length = self.number()?;
        let bytes = self.bytes(length)?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }

    fn value(&mut self) -> Option<Value> {
        let first = self.byte()?;
        Some(match first & 0x0f {
            0 => Value::Null,
            1 => Value::Bool(first & 0x10 != 0),
            2..=5 => Value::Number(self.number()?.cast_signed()),
            6 => Value::Address(self.bytes(4)?),
            7 => Value::Address(self.bytes(16)?),
            8 => Value::Text(self.text()?),
            9 => {
                let length = self.number()?;
                Value::Bytes(self.bytes(length)?)
            }
            _ => return None,
        })
    }

    fn pair(&mut self) -> Option<(String, Value)> {
        Some((self.text()?, self.value()?))
    }

    fn pairs(mut self) -> Vec<(String, Value)> {
        std::iter::from_fn(|| self.pair()).collect()
    }

    fn message(&mut self) -> Option<Message> {
        let name = self.text()?;
        let count = self.byte()?;
        let arguments = (0..count).map(|_| self.pair()).collect::<Option<_>>()?;
        Some(Message { name, arguments })
    }
}

impl Message {
    /// The text of an argument by its name, or by its place where arguments have no names.
    pub fn text(&self, name: &str, place: usize) -> String {
        let named = self.arguments.iter().find(|it| it.0 == name);
        match named.or_else(|| self.arguments.get(place)).map(|it| &it.1) {
            Some(Value::Text(text)) => text.clone(),
            Some(Value::Bytes(bytes)) => String::from_utf8_lossy(bytes).into_owned(),
            Some(other) => format!("{other:?}"),
            None => String::new(),
        }
    }
}

impl Value {
    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Null => out.push(0),
            Self::Bool(is_so) => out.push(if *is_so { 0x11 } else { 1 }),
            Self::Number(number) => {
                // Unsigned, of 32 bits.
                out.push(3);
                put_number(out, number.cast_unsigned());
            }
            Self::Address(bytes) => {
                out.push(if bytes.len() == 4 { 6 } else { 7 });
                out.extend(bytes);
            }
            Self::Text(text) => {
                out.push(8);
                put_text(out, text.as_bytes());
            }
            Self::Bytes(bytes) => {
                out.push(9);
                put_text(out, bytes);
            }
        }
    }
}

fn put_text(out: &mut Vec<u8>, text: &[u8]) {
    put_number(out, u64::try_from(text.len()).unwrap_or(0));
    out.extend(text);
}

fn put_number(out: &mut Vec<u8>, mut number: u64) {
    let low = |number: u64| u8::try_from(number & 0xff).unwrap_or(0);
    if number < 240 {
        out.push(low(number));
        return;
    }
    out.push(low(number) | 0xf0);
    number = (number - 240) >> 4;
    while number >= 128 {
        out.push(low(number) | 0x80);
        number = (number - 128) >> 7;
    }
    out.push(low(number));
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_values_read_back_as_they_are_written() {
        for number in [
            0,
            1,
            239,
            240,
            241,
            2287,
            2288,
            264_431,
            264_432,
            u64::from(u32::MAX),
        ] {
            let mut bytes = Vec::new();
            put_number(&mut bytes, number);
            assert_eq!(Reader(&bytes).number(), Some(number));
        }
        for value in [
            Value::Null,
            Value::Bool(true),
            Value::Number(403),
            Value::Address(vec![127, 0, 0, 1]),
            Value::Text("deny".into()),
            Value::Bytes(vec![0, 255]),
        ] {
            let mut bytes = Vec::new();
            value.write(&mut bytes);
            assert_eq!(Reader(&bytes).value(), Some(value));
        }
    }
}
