//! The page: three files that are built in. No build step, no other host.

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;

/// What lies under which path.
const FILES: &[(&str, &str, &str)] = &[
    ("/", "text/html; charset=utf-8", include_str!("page/page.html")),
    ("/page.css", "text/css; charset=utf-8", include_str!("page/page.css")),
    ("/page.js", "text/javascript; charset=utf-8", include_str!("page/page.js")),
    ("/list.js", "text/javascript; charset=utf-8", include_str!("page/list.js")),
    ("/detail.js", "text/javascript; charset=utf-8", include_str!("page/detail.js")),
    ("/icon.svg", "image/svg+xml", include_str!("page/icon.svg")),
];

pub(super) fn routes() -> Router {
    FILES.iter().fold(Router::new(), |routes, (path, kind, text)| {
        routes.route(path, get(move || async move { ([(CONTENT_TYPE, *kind)], *text) }))
    })
}
