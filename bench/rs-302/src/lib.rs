//! The smallest workers-rs worker that answers 302: what the toolchain itself costs.

use worker::{Context, Env, Request, Response, ResponseBuilder, Result, event};

#[event(fetch)]
async fn fetch(_request: Request, _env: Env, _context: Context) -> Result<Response> {
    ResponseBuilder::new()
        .with_status(302)
        .with_header("location", "https://shop.example.com/products/p-1")
        .map(|builder| builder.empty())
}
