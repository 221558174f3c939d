//! What a browser is given: the routes of the page, on the real binary, over its port and its socket.

mod assets;
mod history;
mod security;
mod stream;
