//! When a verb leaves the run that it follows.

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::exit::Stop;

/// The wish to leave a run that is followed: Ctrl-C, or the end that a service manager sends. A terminal that is closed is
/// none: the run goes on to its end, and nobody is told.
pub struct Leave {
    signals: [Signal; 2],
}

impl Leave {
    /// From now on.
    ///
    /// # Errors
    /// The system gives no signals.
    pub fn listen() -> Result<Self, Stop> {
        let hear = |kind| signal(kind).map_err(|e| Stop::usage(format!("signals cannot be heard: {e}")));
        // Once heard, it no longer ends the process.
        drop(hear(SignalKind::hangup())?);
        Ok(Self { signals: [hear(SignalKind::interrupt())?, hear(SignalKind::terminate())?] })
    }

    /// Ends when it is said.
    pub async fn asked(&mut self) {
        let [interrupt, terminate] = &mut self.signals;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    }
}
