//! The console's imperative part: terminal guard, input, loop, drawing backend.
