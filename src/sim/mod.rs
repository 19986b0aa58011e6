//! A Kingdee simulator: a real HTTP server with its own reading of the protocol. Shares no code with the client.
