//! The portal's pages: in a browser as a person uses them, and over sockets as somebody else would abuse them.

use receiver::{MockReceiver, Rule};
use serde_json::json;

use crate::browser::{Browser, Look};
use crate::harness::{LIMIT, update};
use crate::server::Server;

const JSON: (&str, &str) = ("content-type", "application/json");

fn push(server: &Server, kind: &str, count: u32) {
    let body = String::from_utf8(update(kind, count).as_bytes().to_vec()).unwrap();
    assert_eq!(server.post(&body, &[JSON]).1["deliveries"], 1);
}

/// What the documentation page says, step by step, and what comes after it.
#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_is_added_as_the_documentation_page_says_and_its_deliveries_are_seen() {
    let receiver =
        MockReceiver::builder().credentials("u", "s3cret").require_header("X-Netography: Webhook").unwrap();
    let receiver = receiver.start().await.unwrap();
    let server = Server::fresh(&["--allow-private"]);
    let Some(browser) = Browser::open(Look::WIDE, &server.url).await else { return };

    add_a_webhook(&browser, &receiver).await;
    add_a_policy(&browser).await;

    push(&server, "start", 1);
    receiver.expect(1).alerttype("start").verified().within(LIMIT).await.unwrap();
    browser.go(&format!("{}deliveries", server.url)).await;
    browser.until("document.querySelector('#deliveries .pill.delivered')").await;
    browser.screenshot("portal-deliveries").await;

    breaks_and_is_repaired(&browser, &server, &receiver).await;

    let elsewhere = "performance.getEntriesByType('resource').filter((entry) => !entry.name.startsWith(location.origin)).length";
    assert_eq!(browser.value(elsewhere).await, json!(0), "nothing comes from another host");
    browser.close().await;
}

/// *Settings > Response Integrations > Add Integration > Webhook.*
async fn add_a_webhook(browser: &Browser, receiver: &MockReceiver) {
    browser.until("document.querySelector('h1').textContent === 'Overview'").await;
    browser.click("nav a[href='/settings']").await;
    browser.until("document.querySelector('h1').textContent === 'Response Integrations'").await;
    browser.press("Add Integration").await;
    browser.press("Webhook").await;
    browser.fill("#name", "my SIEM").await;
    browser.fill("#url", &receiver.url()).await;
    browser.fill("#headers", "X-Netography: Webhook, X-Api-Key: h1dden, oops").await;
    browser
        .until("document.querySelector('#wrong-headers pre.caret').textContent.trimEnd().endsWith('^^^^')")
        .await;
    let told = browser.value("document.querySelector('#wrong-headers').innerText").await;
    let told = told.as_str().unwrap();
    assert!(told.contains("no colon between name and value") && !told.contains("h1dden"), "{told}");
    browser.screenshot("portal-mistake").await;
    browser.fill("#headers", "X-Netography: Webhook, X-Api-Key: h1dden").await;
    browser.until("document.querySelector('#preview').innerText.includes('X-Api-Key: ***')").await;
    browser.until("document.querySelector('#wrong-headers').innerText === ''").await;

    browser.fill("#username", "u").await;
    browser.fill("#password", "wrong").await;
    browser.press("Send test").await;
    browser.until("document.querySelector('#tried').innerText.includes('401')").await;
    browser
        .until("document.querySelector('#tried').innerText.includes('The receiver wants other credentials.')")
        .await;
    browser.screenshot("portal-test-failed").await;
    browser.fill("#password", "s3cret").await;
    browser.press("Send test").await;
    browser.until("document.querySelector('#tried').innerText.includes('✓ The test arrived')").await;
    browser.until("document.querySelector('#preview').innerText.includes('Authorization: ***')").await;

    browser.click("#field-names summary").await;
    browser.fill("#find-field", "updatecount").await;
    browser
        .until("[...document.querySelectorAll('#fields tbody tr')].filter((row) => !row.hidden).length === 1")
        .await;
    browser.fill("[name='name:updatecount']", "n").await;
    browser.until("document.querySelector('#preview .added')?.textContent.includes('\"n\": 1')").await;
    browser.screenshot("portal-field-names").await;
    browser.fill("[name='name:updatecount']", " ").await;
    browser.click("#delivery summary").await;
    browser.fill("#delays", "none").await;
    browser.press("Save").await;
    browser.until("document.querySelector('.done').textContent === 'Added.'").await;
    let page = browser.value("document.documentElement.outerHTML").await;
    assert!(!page.to_string().contains("h1dden") && !page.to_string().contains("s3cret"));
    browser.screenshot("portal-added").await;
    receiver.clear();
    receiver.reset();
}

async fn add_a_policy(browser: &Browser) {
    browser.click("nav.settings a[href='/settings/policies']").await;
    browser.press("Add Policy").await;
    browser.press("Save").await;
    browser.until("document.querySelector('#wrong-name').innerText.includes('it is needed')").await;
    browser.fill("#name", "grave ones").await;
    browser.click("[name='severities'][value='medium']").await;
    browser.click("[name='integrations']").await;
    browser.screenshot("portal-policy").await;
    browser.press("Save").await;
    browser.until("document.querySelector('.done').textContent === 'Added.'").await;
    browser.until("document.querySelector('tbody').innerText.includes('grave ones')").await;
}

/// The receiver fails, which is seen; it works again, and what was given up is sent again.
async fn breaks_and_is_repaired(browser: &Browser, server: &Server, receiver: &MockReceiver) {
    receiver.set_faults([Rule::parse("status=500").unwrap()]);
    push(server, "ongoing", 2);
    browser.go(&format!("{}settings/integrations", server.url)).await;
    browser.until("document.querySelector('#integrations .pill.retrying')").await;
    browser.screenshot("portal-retrying").await;
    browser.click("nav a[href='/dead']").await;
    browser.until("document.querySelector('#deliveries .pill.dead')").await;
    browser.screenshot("portal-dead").await;
    receiver.set_faults([]);
    browser.press("Resend all dead letters").await;
    browser.accept().await;
    browser.until("document.querySelector('.done').textContent === 'Sent again. It was 1.'").await;
    receiver.expect(1..).alerttype("ongoing").status(200).within(LIMIT).await.unwrap();
    browser.go(&format!("{}event?id=00edee24-bc66-4b37-803c-123456789012", server.url)).await;
    browser.until("document.querySelectorAll('#life > li').length === 3").await;
    browser.until("document.querySelector('#life').innerText.includes('500 Internal Server Error')").await;
    browser.screenshot("portal-event").await;
    browser.go(&server.url).await;
    browser.until("document.querySelector('#plots svg path[d^=M]')").await;
    browser.screenshot("portal-overview").await;
    browser.go(&format!("{}deliveries/my%20SIEM/1", server.url)).await;
    browser.until("document.querySelector('.attempts').innerText.includes('200 OK')").await;
    browser.screenshot("portal-delivery").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_fit_a_narrow_screen_and_a_dark_one() {
    let server = Server::start("http://127.0.0.1:9/", &[]);
    push(&server, "start", 1);
    for (look, name) in [(Look::NARROW, "narrow"), (Look::DARK, "dark")] {
        let Some(browser) = Browser::open(look, &server.url).await else { return };
        for (path, what) in [
            ("", "overview"),
            ("settings/integrations", "integrations"),
            ("settings/add-integration/webhook", "webhook"),
            ("settings/integrations/siem", "fixed"),
            ("settings/add-policy", "policy"),
            ("settings/access", "access"),
            ("deliveries", "deliveries"),
            ("deliveries/siem/1", "delivery"),
        ] {
            browser.go(&format!("{}{path}", server.url)).await;
            browser.until("document.querySelector('h1')").await;
            browser.screenshot(&format!("portal-{name}-{what}")).await;
            let wide = "document.documentElement.scrollWidth > document.documentElement.clientWidth";
            assert_eq!(browser.value(wide).await, json!(false), "{path} fits a {name} screen");
        }
        browser.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_is_let_log_in_and_everybody_else_is_kept_out() {
    let server = Server::fresh(&[]);
    let Some(browser) = Browser::open(Look::WIDE, &server.url).await else { return };
    browser.until("document.querySelector('.banner').innerText.includes('Nobody has to log in')").await;
    browser.click(".banner a").await;
    browser.fill("#person", "ann").await;
    browser.fill("#password", "correct horse").await;
    browser.press("Let them log in").await;
    browser.until("document.querySelector('h1').textContent === 'Log in'").await;
    assert_eq!(server.get("v1/status").0, 401, "programs need a token now");
    browser.fill("#name", "ann").await;
    browser.fill("#password", "wrong horse").await;
    browser.press("Log in").await;
    browser
        .until("document.querySelector('.wrong').textContent === 'the name or the password is wrong'")
        .await;
    browser.screenshot("portal-login").await;
    browser.fill("#password", "correct horse").await;
    browser.press("Log in").await;
    browser.until("document.querySelector('h1').textContent === 'Access'").await;
    assert_eq!(browser.value("document.cookie").await, json!(""), "no script sees the cookie");
    browser.fill("#token", "ci").await;
    browser.press("Make a token").await;
    browser.until("document.querySelector('#new-token').textContent.startsWith('fwt_')").await;
    browser.screenshot("portal-access").await;
    browser.click("nav a[href='/settings/changes']").await;
    browser.until("document.querySelector('tbody').innerText.includes('token added')").await;
    browser.click("header button").await;
    browser.until("document.querySelector('h1').textContent === 'Log in'").await;
    browser.go(&format!("{}settings/changes", server.url)).await;
    browser.until("document.querySelector('h1').textContent === 'Log in'").await;
    browser.close().await;
}
