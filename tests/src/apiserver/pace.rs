//! How fast answers come.

use std::io;
use std::time::Duration;

use crate::apiserver::{LOOK, Shared};
use crate::http::server::{Pieces, Reply};

/// How lists and watches of a kind are sent.
#[derive(Clone, Copy, Debug)]
pub(super) enum Pace {
    /// Each byte by itself, with so much time behind it.
    Dribbles(Duration),
    /// Half of what there is, then nothing, on a connection that stays.
    Stalls,
}

impl Shared {
    /// Answers with a list, at the pace of its kind.
    pub(super) fn reply(
        &self,
        reply: Reply<'_>,
        plural: &'static str,
        content_type: &str,
        body: &[u8],
    ) -> io::Result<()> {
        if self.pace(plural).is_none() {
            return reply.send(200, &[("Content-Type", content_type)], body);
        }
        let mut pieces = reply.pieces(content_type)?;
        self.send(&mut pieces, plural, body)?;
        pieces.finish()
    }

    /// Sends a piece at the pace of a kind.
    pub(super) fn send(
        &self,
        pieces: &mut Pieces<'_>,
        plural: &'static str,
        piece: &[u8],
    ) -> io::Result<()> {
        match self.pace(plural) {
            None => pieces.send(piece),
            Some(Pace::Dribbles(pause)) => piece.chunks(1).try_for_each(|byte| {
                pieces.send(byte)?;
                std::thread::sleep(pause);
                Ok(())
            }),
            Some(Pace::Stalls) => {
                pieces.send(&piece[..piece.len() / 2])?;
                while !self.state().stopped && !pieces.is_abandoned() {
                    std::thread::sleep(LOOK);
                }
                Err(io::ErrorKind::ConnectionAborted.into())
            }
        }
    }

    fn pace(&self, plural: &str) -> Option<Pace> {
        self.state().paces.get(plural).copied()
    }
}
