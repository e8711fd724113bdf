//! HTTP workloads: the prepared plan, the hand-written HTTP/1.1 client, HTTP/2 through hyper.

pub mod h1;
pub mod h2;
pub mod parser;
pub mod plan;
pub mod search;

pub use h1::Http1;
pub use h2::Http2;
pub use plan::HttpPlan;
