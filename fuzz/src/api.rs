//! Any request to the API and the pages, over the whole product on SQLite.

use std::cell::RefCell;

use http::Request;
use serde_json::json;
use tributary::web::{api, pages};

use crate::support::people::{Browser, Member};
use crate::support::{OPERATOR, Product, Programme};

/// After so many requests a new product begins: what was made would slow it down.
const MOST: u32 = 2000;

struct World {
    product: Product,
    brand: Programme,
    owner: Browser,
    asked: u32,
}

thread_local! {
    static WORLD: RefCell<Option<World>> = const { RefCell::new(None) };
}

async fn world() -> World {
    let product = Product::new();
    let brand = Programme::new(&product).await;
    let owner = Member::joins(&product, "owner@casa.example", 1).await.browser;
    World { product, brand, owner, asked: 0 }
}

/// Three bytes choose route, caller and form of the request, the rest is its query, id and body
/// (between null bytes). No request is answered 5xx, and none tells what went wrong inside.
pub fn api(data: &[u8]) {
    let Some((&[route, caller, form], rest)) = data.split_first_chunk::<3>() else { return };
    let mut parts = rest.splitn(3, |byte| *byte == 0);
    let mut part = || parts.next().unwrap_or_default();
    let (query, id, body) = (part(), part(), part());
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(async {
        let kept = WORLD.take().filter(|world| world.asked < MOST);
        let mut world = match kept {
            Some(world) => world,
            None => world().await,
        };
        world.asked += 1;
        let routes = api::ROUTES.iter().chain(pages::ROUTES);
        let all: Vec<_> =
            routes.flat_map(|(path, methods)| methods.iter().map(move |m| (*path, *m))).collect();
        let (path, method) = all[usize::from(route) % all.len()];
        let path = path.replace("{id}", &named(&world.brand, path, id));
        let query: String =
            query.iter().filter(|b| b.is_ascii_graphic()).map(|b| *b as char).collect();
        let mut request = Request::builder().method(method.to_uppercase().as_str());
        request = request.uri(if query.is_empty() { path } else { format!("{path}?{query}") });
        request = match caller % 4 {
            0 => request.header("authorization", format!("Bearer {}", world.brand.key)),
            1 => {
                let jar = world.owner.cookies.borrow();
                let pairs: Vec<_> =
                    jar.iter().map(|(name, value)| format!("{name}={value}")).collect();
                let brand = world.brand.brand["id"].as_str().unwrap_or_default();
                request.header("cookie", pairs.join("; ")).header("tributary-brand", brand)
            }
            2 => request.header("authorization", format!("Bearer {OPERATOR}")),
            _ => request,
        };
        request = request.header("sec-fetch-site", "same-origin");
        request = match form % 3 {
            0 => request.header("content-type", "application/json"),
            1 => request.header("content-type", "application/x-www-form-urlencoded"),
            _ => request.header("accept", "text/html"),
        };
        // What no address may hold never gets here.
        if let Ok(request) = request.body(body.to_vec()) {
            let answer = world.product.raw(request).await;
            // There are no static files here.
            let fine = answer.status < 500 || answer.status == 503;
            assert!(fine, "{method} {}: {}", answer.status, answer.text);
        }
        WORLD.set(Some(world));
    });
}

/// The id that is asked for, or one that is there.
fn named(brand: &Programme, path: &str, id: &[u8]) -> String {
    if !id.is_empty() {
        let safe = id.iter().filter(|b| b.is_ascii_alphanumeric() || b"_%-.".contains(b));
        return safe.map(|b| *b as char).collect();
    }
    let of = |name: &str| path.starts_with(&format!("/v1/{name}/"));
    let brand_id = json!(brand.brand["id"]).as_str().unwrap_or_default().to_owned();
    match () {
        () if of("brands") => brand_id,
        () if of("stores") => brand.store.clone(),
        () if of("creators") => brand.creator.clone(),
        () if of("campaigns") => brand.campaign.clone(),
        () if of("deals") => brand.deal.clone(),
        () => "x".to_owned(),
    }
}
