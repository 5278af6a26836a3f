//! The inspector's page in a real browser: Chromium, driven over WebDriver. What it looks like is left in
//! `target/screenshots`. Without a browser the tests say that they were skipped; in CI that is a failure.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[expect(dead_code, reason = "two programs share it, and neither uses all of it")]
mod browser;
mod harness;

use receiver::{MockReceiver, Rule};
use serde_json::json;

use browser::{Browser, Look};
use harness::{body, inspected, life, send, update};

/// Runs a test with a browser, if there is one.
macro_rules! with_browser {
    ($look:expr, $receiver:expr) => {
        match Browser::open($look, &$receiver.inspector_url().unwrap()).await {
            Some(browser) => browser,
            None => return,
        }
    };
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_arrives_is_shown_live_with_its_verdict() {
    let receiver = inspected().await;
    let browser = with_browser!(Look::WIDE, receiver);
    browser.until("document.body.innerText.includes('Nothing came yet')").await;
    browser.until(&format!("document.querySelector('#where').textContent === {:?}", receiver.url())).await;

    send(&receiver, &update("a", "start", 1)).await;
    browser.until("document.querySelectorAll('.row').length === 1").await;
    browser.until("document.querySelector('#detail .title').textContent.startsWith('#1 POST /')").await;
    send(&receiver, "{").await;
    browser.until("document.querySelector('.row.failed .word').textContent === '✗ failed'").await;
    browser.until("document.querySelector('#detail').innerText.includes('expected a JSON object')").await;
    browser
        .until("document.querySelector('#counts').textContent === '2 received · 1 verified · 1 failed'")
        .await;
    browser.screenshot("live").await;

    let elsewhere = "performance.getEntriesByType('resource').filter((entry) => !entry.name.startsWith(location.origin)).length";
    assert_eq!(browser.value(elsewhere).await, json!(0), "nothing comes from another host");
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_move_filters_hold_and_the_address_keeps_the_view() {
    let receiver = inspected().await;
    for event in ["a", "b"] {
        life(&receiver, event).await;
    }
    send(&receiver, &body("c", "end", 3, "a needle <in> a haystack")).await;
    let browser = with_browser!(Look::WIDE, receiver);
    browser.until("document.querySelectorAll('.row').length === 7").await;
    browser.until("document.querySelector('#detail .title')?.textContent.startsWith('#7 ')").await;

    browser.keys("jj").await;
    browser.until("document.querySelector('#detail .title').textContent.startsWith('#5 ')").await;
    browser.until("document.querySelector('#follow').textContent === 'Follow newest'").await;
    send(&receiver, &update("d", "start", 1)).await;
    browser.until("document.querySelectorAll('.row').length === 8").await;
    assert_eq!(browser.value("location.hash").await, json!("#n=5"), "moving by hand stopped following");
    browser.keys("k").await;
    browser.until("document.querySelector('#detail .title').textContent.startsWith('#6 ')").await;
    browser.until("document.querySelector('.diff').innerText.includes('updatecount: 2 → 3')").await;

    browser.keys("/needle").await;
    browser.until("document.querySelectorAll('.row').length === 1").await;
    browser.until("location.hash.includes('q=needle')").await;
    browser.reload().await;
    browser.until("document.querySelectorAll('.row').length === 1 && document.querySelector('#search').value === 'needle'").await;
    browser.run("document.querySelector('#search').value = ''; document.querySelector('#search').dispatchEvent(new Event('input'))").await;
    browser.run("document.querySelector('#verdict').value = 'failed'; document.querySelector('#verdict').dispatchEvent(new Event('change'))").await;
    browser.until("document.querySelectorAll('.row').length === 1 && document.querySelector('.row').innerText.includes('end c')").await;

    browser.run("document.querySelector('#verdict').value = ''; document.querySelector('#verdict').dispatchEvent(new Event('change')); document.querySelector('#list').focus()").await;
    browser.keys("?").await;
    browser.until("document.querySelector('#keys').open").await;
    browser.screenshot("keys").await;
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_somebody_reads_stays_where_it_is_while_more_comes() {
    let receiver = inspected().await;
    for number in 0..60 {
        send(&receiver, &update(&format!("e{number}"), "start", 1)).await;
    }
    let browser = with_browser!(Look::WIDE, receiver);
    browser.until("document.querySelector('#detail .title')?.textContent.startsWith('#60 ')").await;
    browser.run("document.querySelector('#list').scrollTop = 500").await;
    browser.until("document.querySelector('#counts').textContent.includes('not following the newest')").await;
    let top = "document.querySelectorAll('.row')[8].textContent.match(/#[0-9]+/)[0]";
    browser.until("document.querySelectorAll('.row').length > 20").await;
    let (before, row) = (browser.value(top).await, "document.querySelector('#row-48')");
    browser.run(&format!("window.row = {row}; window.at = row.getBoundingClientRect().top")).await;
    for number in 0..5 {
        send(&receiver, &update(&format!("f{number}"), "start", 1)).await;
    }
    browser.until("document.querySelector('#counts').textContent.startsWith('65 received')").await;
    browser
        .until(&format!("document.querySelector('#list').scrollTop === 750 && {row} === window.row"))
        .await;
    assert_eq!(browser.value(top).await, before, "the same row is at the top");
    assert_eq!(browser.value("row.getBoundingClientRect().top === window.at").await, json!(true));
    browser.run("row.click()").await;
    browser.until("document.querySelector('#detail .title').textContent.startsWith('#48 ')").await;
    browser.run("document.querySelector('#follow').click()").await;
    browser.until("document.querySelector('#detail .title').textContent.startsWith('#65 ')").await;
    browser.run("document.querySelector('#detail').dispatchEvent(new WheelEvent('wheel'))").await;
    send(&receiver, &update("g", "start", 1)).await;
    browser.until("document.querySelector('#counts').textContent.startsWith('66 received')").await;
    browser.until("location.hash === '#n=65'").await;
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receiver_that_was_started_again_is_shown_and_not_the_one_before() {
    let receiver = inspected().await;
    send(&receiver, &update("before", "start", 1)).await;
    let browser = with_browser!(Look::WIDE, receiver);
    browser.until("document.querySelector('.row').innerText.includes('start before')").await;
    let address = receiver.inspector_url().unwrap().replace("http://", "");
    drop(receiver);
    browser.until("document.querySelector('#link').textContent.includes('connection lost')").await;
    let again = MockReceiver::builder().inspect(address.trim_end_matches('/')).start().await.unwrap();
    send(&again, &update("after", "start", 1)).await;
    browser.until("document.querySelector('.row').innerText.includes('start after')").await;
    browser.until("document.querySelector('.tree').innerText.includes('\"after\"')").await;
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_life_is_walked_by_keys_and_a_shared_address_shows_the_difference() {
    let receiver = inspected().await;
    send(&receiver, &update("a", "start", 1)).await;
    for count in 2..=20 {
        send(&receiver, &update("a", "ongoing", count)).await;
    }
    let browser = with_browser!(Look::WIDE, receiver);
    browser.run("location.hash = '#n=2&g=1'").await;
    browser.reload().await;
    browser.until("document.querySelector('.diff').innerText.includes('updatecount: 1 → 2')").await;
    browser.until("document.querySelector('.chip[aria-current=true]').dataset.number === '2'").await;
    browser.run("document.querySelector('#list').focus()").await;
    browser.keys("\u{e014}\u{e014}").await; // →
    browser.until("document.querySelector('#detail .title').textContent.startsWith('#4 ')").await;
    browser.keys("\u{e012}").await; // ←
    browser.until("document.querySelector('.chip[aria-current=true]').dataset.number === '3'").await;
    browser.until("document.querySelector('#list').getAttribute('aria-activedescendant') === 'row-20'").await;
    browser.screenshot("life").await;

    browser.run("document.querySelector('#clear').click()").await;
    browser.until("document.querySelectorAll('.row').length === 0").await;
    send(&receiver, &update("a", "end", 21)).await;
    browser
        .until("document.querySelector('#counts').textContent.startsWith('1 received · 1 verified')")
        .await;
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_s_life_is_a_timeline_and_pausing_holds_back() {
    let receiver = inspected().await;
    life(&receiver, "a").await;
    send(&receiver, &update("b", "ongoing", 2)).await;
    let browser = with_browser!(Look::WIDE, receiver);
    browser.until("document.querySelectorAll('.row').length === 4").await;
    browser.keys("g").await;
    browser.until("document.querySelectorAll('.row').length === 2").await;
    browser.until("[...document.querySelectorAll('.row')].at(-1).innerText.replace(/\\s+/g, ' ').includes('start → ongoing → end')").await;
    browser.until("document.querySelector('.row.failed .chip.failed').textContent === '✗ ongoing'").await;
    browser.run("[...document.querySelectorAll('.row')].at(-1).querySelector('.chip').click()").await;
    browser.until("document.querySelector('#detail .title').textContent.startsWith('#1 ')").await;
    browser.screenshot("events").await;

    browser.keys("gp").await;
    send(&receiver, &update("c", "start", 1)).await;
    browser.until("document.querySelector('#counts').textContent.includes('paused, 1 wait')").await;
    assert_eq!(browser.value("document.querySelectorAll('.row').length").await, json!(4));
    browser.keys("p").await;
    browser.until("document.querySelectorAll('.row').length === 5").await;
    browser.run("document.querySelector('#clear').click()").await;
    browser.until("document.querySelectorAll('.row').length === 0").await;
    assert_eq!(receiver.counts().received, 0);
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_payloads_are_shown_as_text_and_run_nothing() {
    let receiver = inspected().await;
    let markup =
        "</script><script>window.pwned=1</script><img src=x onerror=window.pwned=1>\u{202e}gnp.exe\u{0007}";
    let long = "L".repeat(1 << 20);
    let text = |value: &str| serde_json::to_string(value).unwrap();
    let body = format!(
        "{{\"alerttype\":{0},\"id\":{0},{0}:{0},\"__proto__\":{{\"x\":1}},\"summary\":{1},\"n\":123456789012345678901234567890,\"many\":[{2}0]}}",
        text(markup),
        text(&long),
        "0,".repeat(20_000)
    );
    send(&receiver, &body).await;
    let browser = with_browser!(Look::WIDE, receiver);
    browser.until("document.querySelector('#detail .title')?.textContent.startsWith('#1 ')").await;
    browser
        .until("document.querySelector('.tree').innerText.includes('123456789012345678901234567890')")
        .await;
    browser
        .until("document.querySelector('.tree').innerText.includes('show all 1,048,578 characters')")
        .await;
    browser.until("document.querySelector('.row .id').textContent.includes('<script>window.pwned=1')").await;
    browser.until("document.querySelector('.row .id').textContent.includes('\\\\u{202e}gnp.exe')").await;
    assert_eq!(browser.value("String(window.pwned)").await, json!("undefined"));
    assert_eq!(
        browser
            .value("document.querySelectorAll('#list script, #list img, #detail script, #detail img').length")
            .await,
        json!(0)
    );
    assert_eq!(
        browser.value("document.querySelectorAll('.tree *').length < 2000").await,
        json!(true),
        "what is long is made when it is opened"
    );
    browser.run("document.querySelectorAll('.tree details')[1].open = true").await;
    browser.screenshot("hostile").await;
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_can_be_used_at_400_pixels() {
    let receiver = inspected().await;
    life(&receiver, "0f5c2d6e-7777-4444-aaaa-123456789012").await;
    send(&receiver, "{").await;
    let browser = with_browser!(Look::NARROW, receiver);
    browser.until("document.querySelectorAll('.row').length === 4").await;
    assert_eq!(browser.value("innerWidth").await, json!(400));
    let fits = "document.scrollingElement.scrollWidth <= 400";
    browser.until(fits).await;
    browser.screenshot("narrow-list").await;
    browser.keys("j\u{e007}").await;
    browser.until("getComputedStyle(document.querySelector('#list')).display === 'none'").await;
    browser.until("document.querySelector('#detail .title').textContent.startsWith('#3 ')").await;
    browser.until(fits).await;
    browser.screenshot("narrow-detail").await;
    browser.run("document.querySelector('#back').click()").await;
    browser.until("getComputedStyle(document.querySelector('#detail')).display === 'none'").await;
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousands_scroll_in_the_dark() {
    let receiver = inspected().await;
    for number in 0..3_000 {
        send(
            &receiver,
            &update(&format!("event-{number}"), if number % 7 == 0 { "end" } else { "start" }, 1),
        )
        .await;
    }
    let browser = with_browser!(Look::DARK, receiver);
    browser.until("document.querySelector('#counts').textContent.startsWith('3000 received')").await;
    browser.until("document.querySelector('#rows').style.height === '150000px'").await;
    assert_eq!(browser.value("matchMedia('(prefers-color-scheme: dark)').matches").await, json!(true));
    assert_eq!(
        browser.value("getComputedStyle(document.body).backgroundColor").await,
        json!("rgb(22, 25, 29)")
    );
    browser.until("document.querySelectorAll('.row').length < 60").await;
    browser.screenshot("dark").await;
    browser.run("document.querySelector('#list').scrollTop = 1e9").await;
    browser.until("document.querySelector('#list').innerText.includes('#1 ')").await;
    assert_eq!(
        browser.value("document.querySelectorAll('.row').length < 60").await,
        json!(true),
        "only what is in view exists"
    );
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn faults_are_changed_on_the_page() {
    let receiver =
        MockReceiver::builder().inspect("127.0.0.1:0").fault(Rule::parse("status=503,nth=9").unwrap());
    let receiver = receiver.start().await.unwrap();
    let browser = with_browser!(Look::WIDE, receiver);
    browser.until("document.querySelector('#where').textContent !== ''").await;
    browser.run("document.querySelector('#faults').click()").await;
    browser.until("document.querySelector('#rules-text').value === 'nth=9,status=503'").await;
    browser.run("document.querySelector('#rules-text').value = 'status=1'; document.querySelector('#rules-apply').click()").await;
    browser
        .until("document.querySelector('#rules-error').textContent.includes('is no status from 200 to 599')")
        .await;
    browser.screenshot("faults").await;
    browser.run("document.querySelector('#rules-text').value = 'status=500'; document.querySelector('#rules-apply').click()").await;
    browser.until("!document.querySelector('#rules').open").await;
    assert_eq!(receiver.faults().0, [Rule::parse("status=500").unwrap()]);
    send(&receiver, &update("a", "start", 1)).await;
    browser.until("document.querySelector('.row').innerText.includes('fault')").await;
    browser.close().await;
}
