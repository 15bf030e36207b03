//! A thread for one compilation.
//!
//! The allocator gives each thread pages of its own. What another thread drops, as the loop does with the
//! configuration before, is not free before the thread that made it looks, and threads of
//! [`spawn_blocking`] wait for further work and do not. With a few of them, each held what was left of a
//! compilation that it had done long ago. The pages of a thread that has ended are nobody's, and free as
//! soon as there is nothing in them.

use std::any::Any;
use std::thread::Builder;

use tokio::task::spawn_blocking;

/// Does something on a thread that ends with it. What it gives back instead is how it failed.
pub(super) async fn alone<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, String> {
    // The waiting is done where the runtime knows of it.
    let waiting = spawn_blocking(|| {
        let thread = Builder::new().name("compile".into()).spawn(work);
        let thread = thread.map_err(|error| format!("no thread for it: {error}"))?;
        thread.join().map_err(|panic| panicked(&*panic))
    });
    waiting.await.map_err(|error| error.to_string())?
}

/// The words of a panic.
pub(super) fn panicked(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("it says nothing").to_owned()
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::sync::mpsc::{Sender, TryRecvError, channel};

    use super::*;

    thread_local! {
        /// Dropped when the thread has ended.
        static OWN: RefCell<Option<Sender<()>>> = const { RefCell::new(None) };
    }

    #[tokio::test]
    async fn the_thread_has_ended_when_the_work_is_done() {
        let (sender, receiver) = channel();
        let done = alone(|| {
            OWN.replace(Some(sender));
            1
        });
        assert_eq!(done.await, Ok(1));
        let left = receiver.try_recv();
        assert_eq!(left, Err(TryRecvError::Disconnected), "nobody is left");
    }

    #[tokio::test]
    async fn a_panic_is_what_it_says() {
        let words = alone::<()>(|| panic!("of {} words", 3)).await;
        assert_eq!(words, Err("of 3 words".into()));
        let literal = alone::<()>(|| panic!("a word")).await;
        assert_eq!(literal, Err("a word".into()));
    }
}
