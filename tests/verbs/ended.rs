//! An owner that ends on purpose, seen by a console that is on its way in: it is not taken for dead, in whatever order
//! the pieces of the end arrive.
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use skydeck::domain::query::Query;
use skydeck::domain::who::Who;
use skydeck::engine::api::{Gone, Link, LinkError};
use skydeck::link::ended;
use skydeck::link::frame::{self, REQUEST_MAX, Reply, Request};
use skydeck::link::remote::{RemoteLink, Starter};
use tokio::net::{UnixListener, UnixStream};

/// Counts the owners that would have been started.
#[derive(Default)]
struct Counted(AtomicUsize);

#[async_trait]
impl Starter for Counted {
    async fn start(&self) -> Result<(), String> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Err("one was started".to_owned())
    }

    fn progress(&self) -> tokio::sync::watch::Receiver<String> {
        tokio::sync::watch::channel(String::new()).1
    }
}

/// A console's link to a socket, and what it started.
fn console(socket: &Path) -> (RemoteLink, Arc<Counted>) {
    let started = Arc::new(Counted::default());
    let who = Who::of_person(1000, "li".to_owned(), None);
    (RemoteLink::of_console(socket, who, Some(started.clone())), started)
}

/// The lock file of an owner that is this process.
fn lock(dir: &Path, pid: u32) {
    std::fs::write(dir.join("owner.lock"), format!("pid {pid}\nwho li\nsince now\n")).unwrap();
}

/// Lets one in as an owner does.
async fn let_in(listener: &UnixListener) -> UnixStream {
    let (mut stream, _) = listener.accept().await.unwrap();
    let Request::Hello { .. } = frame::read::<Request>(&mut stream, REQUEST_MAX).await.unwrap() else {
        panic!("hello")
    };
    let welcome = Reply::Welcome { pid: std::process::id(), instance: ulid::Ulid::from_parts(1, 1) };
    frame::write(&mut stream, &welcome).await.unwrap();
    stream
}

fn is_ended(error: &LinkError) -> bool {
    matches!(error, LinkError::Gone(Gone::Ended { pid, by }) if *pid == std::process::id() && by == "SIGTERM")
}

#[tokio::test]
async fn one_whose_word_is_lost_on_the_way_is_not_started_again() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("owner.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    lock(dir.path(), std::process::id());
    let (link, started) = console(&socket);
    // The question is on its way when the owner goes, and the word never comes on this connection.
    let (answer, ()) = tokio::join!(link.ask(Query::Plans), async {
        let mut stream = let_in(&listener).await;
        let Request::Ask(..) = frame::read::<Request>(&mut stream, REQUEST_MAX).await.unwrap() else { panic!("ask") };
        ended::note(dir.path(), "SIGTERM").unwrap();
        std::fs::remove_file(&socket).unwrap();
        drop((stream, listener));
    });
    let error = answer.unwrap_err();
    assert!(is_ended(&error), "{error}");
    assert!(link.watch().await.is_err_and(|error| is_ended(&error)), "and later too");
    assert_eq!(started.0.load(Ordering::SeqCst), 0, "it was ended on purpose");
}

#[tokio::test]
async fn one_that_ends_before_it_says_welcome_is_not_started_again() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("owner.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    lock(dir.path(), std::process::id());
    let (link, started) = console(&socket);
    let (watch, ()) = tokio::join!(link.watch(), async {
        // Let in by the kernel, never by the owner.
        let (mut stream, _) = listener.accept().await.unwrap();
        let _ = frame::read::<Request>(&mut stream, REQUEST_MAX).await.unwrap();
        ended::note(dir.path(), "SIGTERM").unwrap();
        std::fs::remove_file(&socket).unwrap();
        drop((stream, listener));
    });
    assert!(watch.is_err());
    assert!(link.watch().await.is_err_and(|error| is_ended(&error)));
    assert_eq!(started.0.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn one_that_died_is_started_again_also_where_an_earlier_one_was_ended() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("owner.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    // Another process was ended before ours came.
    lock(dir.path(), std::process::id() + 1);
    ended::note(dir.path(), "SIGTERM").unwrap();
    let (link, started) = console(&socket);
    let (answer, ()) = tokio::join!(link.ask(Query::Plans), async {
        let mut stream = let_in(&listener).await;
        let _ = frame::read::<Request>(&mut stream, REQUEST_MAX).await.unwrap();
        std::fs::remove_file(&socket).unwrap();
        drop((stream, listener));
    });
    assert!(answer.unwrap_err().to_string().contains("one was started"));
    assert_eq!(started.0.load(Ordering::SeqCst), 1);
}
