//! The loop's ears and hands at the engine: facts in, orders and questions out, all as tasks.
//!
//! Invariant: nothing here waits in the loop. Every order and question gets exactly one answer message; orders keep
//! their sequence, but for those that may wait for a plan's file.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc};
use ulid::Ulid;

use super::words::Words;
use crate::ui::msg::{Msg, Ticket};
use skydeck_core::domain::command::{Command, Order};
use skydeck_core::domain::ids::CommandId;
use skydeck_core::domain::query::Query;
use skydeck_core::domain::who::Who;
use skydeck_engine::api::{Link, Notice, Watch};

/// Notices waiting for the loop. When full, the link's own channel fills behind it and it resyncs us.
const NOTICES: usize = 64;
/// Answers waiting for the loop; the tasks that bring them wait when it is full.
const ANSWERS: usize = 256;
/// Orders waiting for the engine. An operator's keys cannot fill it in earnest; when full, the order is refused.
const ORDERS: usize = 64;
/// Questions at the engine at a time; the others wait their turn.
const AT_A_TIME: usize = 8;
/// Questions asked and not answered; beyond that they are refused at once.
const ASKED: usize = 256;
/// Waits between attempts to reach an engine that is gone; the last one repeats.
const AGAIN: [Duration; 5] = [
    Duration::from_millis(200),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(5),
];

/// The way to the engine.
pub struct Engine {
    link: Arc<dyn Link>,
    orders: mpsc::Sender<(Ticket, Command)>,
    answers: mpsc::Sender<Msg>,
    turn: Arc<Semaphore>,
    asked: Arc<Semaphore>,
}

/// What comes back.
pub struct Ears {
    /// Facts, pulses, resyncs.
    pub notices: mpsc::Receiver<Msg>,
    /// Answers, receipts, ends of exports.
    pub answers: mpsc::Receiver<Msg>,
}

impl Engine {
    /// Begins to watch. Returns at once; the first state comes as [`Msg::Resync`].
    pub fn connect(link: Arc<dyn Link>, who: Who, words: Words) -> (Self, Ears) {
        let (notices_in, notices) = mpsc::channel(NOTICES);
        let (answers_in, answers) = mpsc::channel(ANSWERS);
        let (orders, waiting) = mpsc::channel(ORDERS);
        tokio::spawn(watch(Arc::clone(&link), notices_in, words));
        tokio::spawn(submit(Arc::clone(&link), who, waiting, answers_in.clone()));
        let engine = Self {
            link,
            orders,
            answers: answers_in,
            turn: Arc::new(Semaphore::new(AT_A_TIME)),
            asked: Arc::new(Semaphore::new(ASKED)),
        };
        (engine, Ears { notices, answers })
    }

    /// Gives an order. An answer now means it was refused here.
    pub fn submit(&self, ticket: Ticket, command: Command) -> Option<Msg> {
        let refused = self.orders.try_send((ticket, command)).err()?;
        Some(Msg::Receipt(ticket, Err(format!("the engine takes no orders now: {refused}"))))
    }

    /// Asks. An answer now means it was refused here.
    pub fn ask(&self, ticket: Ticket, query: Query) -> Option<Msg> {
        let Ok(place) = Arc::clone(&self.asked).try_acquire_owned() else {
            return Some(Msg::Answered(ticket, Err("too many questions wait for an answer".to_owned())));
        };
        let (link, turn) = (Arc::clone(&self.link), Arc::clone(&self.turn));
        self.task(async move {
            let _turn = turn.acquire().await;
            let answer = link.ask(query).await.map_err(|e| e.to_string());
            drop(place);
            Msg::Answered(ticket, answer)
        });
        None
    }

    /// Runs something whose end is a message.
    pub fn task(&self, work: impl Future<Output = Msg> + Send + 'static) {
        let answers = self.answers.clone();
        tokio::spawn(async move {
            // A loop that ended needs no answer.
            let _ = answers.send(work.await).await;
        });
    }

    /// The link itself, for exports.
    pub fn link(&self) -> Arc<dyn Link> {
        Arc::clone(&self.link)
    }
}

/// One order after the other, so that "approve" never overtakes "start".
async fn submit(
    link: Arc<dyn Link>,
    who: Who,
    mut waiting: mpsc::Receiver<(Ticket, Command)>,
    answers: mpsc::Sender<Msg>,
) {
    while let Some((ticket, command)) = waiting.recv().await {
        let reads = command.reads_plans();
        let order = Order { id: CommandId(Ulid::generate()), by: who.clone(), session: None, headless: false, command };
        let (link, answers) = (Arc::clone(&link), answers.clone());
        let given = async move {
            let receipt = link.submit(order).await.map_err(|e| e.to_string());
            answers.send(Msg::Receipt(ticket, receipt)).await.is_ok()
        };
        if reads {
            // One that waits for a file must not hold up a stop.
            tokio::spawn(given);
        } else if !given.await {
            return;
        }
    }
}

/// Watches, and begins again when the engine was gone.
async fn watch(link: Arc<dyn Link>, notices: mpsc::Sender<Msg>, words: Words) {
    let mut failures = 0usize;
    let mut told_gone = false;
    loop {
        let watched = tokio::select! {
            watched = link.watch() => watched,
            () = tell_progress(&*link, &notices) => return,
        };
        let why = match watched {
            Ok(Watch { live, notices: mut facts }) => {
                failures = 0;
                if told_gone && notices.send(Msg::EngineGone(None)).await.is_err() {
                    return;
                }
                if notices.send(Msg::Resync(Box::new(live))).await.is_err() {
                    return;
                }
                while let Some(notice) = facts.recv().await {
                    if notices.send(message(notice)).await.is_err() {
                        return;
                    }
                }
                words.engine_ended()
            }
            Err(e) => words.gone(&e),
        };
        told_gone = true;
        if notices.send(Msg::EngineGone(Some(why))).await.is_err() {
            return;
        }
        let pause = AGAIN.get(failures).or(AGAIN.last()).copied().unwrap_or_default();
        failures += 1;
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = notices.closed() => return,
        }
    }
}

/// Says what opening the engine does. Ends only when nobody listens.
async fn tell_progress(link: &dyn Link, notices: &mpsc::Sender<Msg>) {
    if let Some(mut progress) = link.progress() {
        while progress.changed().await.is_ok() {
            let doing = progress.borrow_and_update().clone();
            if notices.send(Msg::Opening(doing)).await.is_err() {
                return;
            }
        }
    }
    std::future::pending().await
}

fn message(notice: Notice) -> Msg {
    match notice {
        Notice::Facts(facts) => Msg::Facts(facts),
        Notice::Pulse(pulse) => Msg::Pulse(pulse),
        Notice::PlansReloaded => Msg::PlansReloaded,
        Notice::Unusual => Msg::Unusual,
        Notice::Resync(live) => Msg::Resync(live),
    }
}
