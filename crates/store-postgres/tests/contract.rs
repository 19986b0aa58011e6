//! What every store promises, of the one in a database.
#![allow(missing_docs, clippy::unwrap_used)]

mod kit;

use std::sync::Arc;

use kit::Server;
use skydeck_core::domain::time::Clock;
use skydeck_store::Store;
use skydeck_store_postgres::PgStore;
use skydeck_store_testkit::{Home, conformance};

struct Database(Arc<Server>, String);

impl Home for Database {
    fn open(&self, clock: Arc<dyn Clock>) -> Arc<dyn Store> {
        Arc::new(PgStore::open(self.0.settings(&self.1, "skydeck_host"), clock).unwrap())
    }

    fn lasts(&self) -> bool {
        true
    }
}

#[test]
fn the_store_in_a_database_keeps_what_a_store_promises() {
    let Some(server) = Server::get() else { return };
    conformance("postgres", &|| Box::new(Database(Arc::clone(&server), server.database())));
}
